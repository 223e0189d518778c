"""Which file counts, and its bytes: whatever came, it is read or refused in one sentence, and soon."""

import json
import os
import stat
import time
import zipfile

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading import formats, intake, zips
from course_utils.exercises.grading.formats import Cell, Unreadable, cells_of
from course_utils.exercises.grading.intake import content, found
from course_utils.exercises.grading.limits import Limits
from course_utils.exercises.grading.pictures import PICTURES, decoded

NAME = "06_convolution_arithmetic.ipynb"
CODE = "def f(x):\n    return x  # × ★"


def notebook(*sources, **more):
    cells = [
        {"cell_type": "code", "metadata": {}, "source": s, "outputs": [], "execution_count": None} for s in sources
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4} | more


def dumped(thing, **options):
    return json.dumps(thing, ensure_ascii=False, **options)


def said(data, ending=".ipynb"):
    """The sentence with which some bytes are refused."""
    with pytest.raises(Unreadable) as refused:
        cells_of(data if isinstance(data, bytes) else data.encode(), ending)
    (sentence,) = refused.value.args
    assert "\n" not in sentence and sentence.endswith(".") and len(sentence) < 200
    return sentence


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding, end):
    text = dumped(notebook(CODE.replace("\n", end)), indent=1).replace("\n", end)
    data = b"\xfe\xff" * (encoding == "utf-16-be") + text.encode(encoding)
    cells, remarks = cells_of(data)
    assert [cell.source for cell in cells] == [CODE] and remarks == []


def test_what_is_no_unicode_is_latin_1():
    assert cells_of(dumped(notebook("# ×")).encode("latin-1"))[0][0].source == "# ×"
    broken = dumped(notebook("# × ★")).encode().replace("×".encode(), b"\xed\xa0\x80")
    assert cells_of(broken)[0][0].source.endswith(" ★")  # one letter lost, not all


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "code", "source": [*CODE.splitlines(keepends=True)]},
        {"cell_type": "code", "source": CODE, "metadata": None, "id": None, "attachments": None},
        {"cell_type": "code", "source": CODE, "metadata": [], "id": 3},
        {"cell_type": "code", "source": CODE, "metadata": {"nbgrader": None}},
        {"cell_type": "code", "source": CODE, "metadata": {"nbgrader": {"grade_id": [], "points": "x"}}},
    ],
)
def test_odd_shapes_of_a_cell(cell):
    empty = [{"cell_type": "code", "source": None, "metadata": {}}, {"cell_type": "markdown"}, {}]
    cells, remarks = cells_of(dumped({"cells": [cell, *empty], "metadata": None}).encode())
    assert cells == [Cell("code", CODE), Cell("code", ""), Cell("markdown", ""), Cell("markdown", "")] and not remarks


def test_ids_and_points():
    role = {"grade_id": "06-1", "points": 3}
    cell = {"cell_type": "code", "id": "b", "source": CODE, "metadata": {"nbgrader": role, "id": "c"}}
    assert cells_of(dumped({"cells": [cell]}).encode())[0] == [Cell("code", CODE, ("06-1", "b", "c"), 3.0)]


@pytest.mark.parametrize("minor", range(6))
def test_every_format_4(minor):
    assert cells_of(dumped(notebook(CODE, nbformat_minor=minor)).encode())[0][0].source == CODE


def test_format_3():
    old = nbformat.convert(nbformat.from_dict(notebook(CODE)), 3)
    old = json.loads(nbformat.v3.writes_json(old))
    old["worksheets"][0]["cells"].append({"cell_type": "heading", "level": 2, "source": "A title", "metadata": {}})
    assert [(cell.kind, cell.source) for cell in cells_of(dumped(old).encode())[0]] == [
        ("code", CODE),
        ("markdown", "## A title"),
    ]


def test_what_stands_behind_a_notebook_is_left_out_with_a_remark():
    cells, (remark,) = cells_of((dumped(notebook(CODE)) + "}\n<<<<<<< HEAD").encode())
    assert cells[0].source == CODE and "left out" in remark


def test_what_is_no_letter_becomes_harmless():
    text = json.dumps(notebook("x = 1 # \ud800 \ud83d\ude00 \0", "\x1b"))
    assert cells_of(text.encode())[0][0].source == "x = 1 # \ufffd 😀 \ufffd"
    big = text.replace('"execution_count": null', f'"execution_count": {"9" * 10**5}, "x": [NaN, 1e999]')
    assert cells_of(big.encode())[0][0].source.startswith("x = 1")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n ", "is empty"),
        (b"\0" * 5000, "is empty"),
        ("<!DOCTYPE html><html><body>06</body></html>", "is a web page"),
        ("\n<html lang='en'>", "is a web page"),
        (b"PK\x03\x04" + bytes(100), "is a zip file"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        ("def f():", "no notebook"),
        ("I forgot", "no notebook"),
        (b"\xff\xfe", "is empty"),
        (os.urandom(5000).replace(b"\0", b"x"), "no notebook"),
        (dumped(notebook(CODE))[:-9], "cut short or damaged"),
        ("{", "cut short or damaged"),
        ("[" * 10**5, "nested far too deep"),
        ('{"cells":' * 10**5, "nested far too deep"),
        ("[]", "it is no notebook"),
        ('{"cells": null}', "it is no notebook"),
        ('{"worksheets": [3, {"cells": 3}]}', "has no cells"),
        ('{"cells": {}}', "it is no notebook"),
        ('{"cells": []}', "has no cells"),
        ('{"cells": [3]}', "has no cells"),
        (dumped(notebook("", " \n")), "is empty"),
        (dumped(notebook("x" * (formats.LETTERS_OF_A_CELL + 1))), "too much text"),
        (dumped(notebook(*["x" * 99_000] * 11)), "too much text"),
        ("# %%\n" + "x" * 5 * 10**6, "too much text"),
        ('{"cells": [' + "[]," * formats.VALUES + ",", "too many values"),
    ],
)
def test_what_is_no_notebook_is_refused_in_a_sentence(data, words):
    assert words in said(data)


def test_120_000_cells_are_refused_in_a_second():
    cell = '{"cell_type": "code", "metadata": {}, "source": ["x = 1"], "outputs": [], "execution_count": null}'
    for begin, part in (('{"cells": [' + cell, "," + cell), ("", "# %%\nx = 1\n"), ("", "```python\n1\n```\n")):
        data = (begin + part * 119_999 + ("]}" if begin else part)).encode()
        begun = time.process_time()
        assert "120,000 cells; 2,000 are read" in said(data)
        assert time.process_time() - begun < 3  # half a second on an idle machine


@pytest.mark.parametrize(
    "part",
    [
        *("![", "![](data:,", "![](attachment:", "![](data:image/png;base64,AAAA", "<img ", "<img src=", "[", "]", "<"),
        *("<img src=data:,", "\\", "\n", " ", "\n \n", "#", "` ", "data:,", '![](attachment:a "', "\t", "\u00a0"),
        *("```python\n", "# %%\n", "field = ", "import field ", "def ", "    \n"),
    ],
)
def test_no_text_takes_long(part, released):
    """Nothing in here goes back over a text again and again."""
    text = part * (500_000 // len(part))
    cells = [{"cell_type": kind, "metadata": {"id": "06-6"}, "source": text} for kind in ("markdown", "code")]
    begun = time.process_time()
    for data in (dumped({"cells": cells}), text):
        try:
            cells_of(data.encode(), ".py")
        except Unreadable:
            continue
    short = [Cell(kind, text[: formats.LETTERS_OF_A_CELL], ("06-6",)) for kind in ("markdown", "code")]
    intake.fit(short * 5, released)
    assert time.process_time() - begun < 4


def test_scripts_as_tools_export_them():
    exported = (
        "#!/usr/bin/env python\n# coding: utf-8\n\n# # Title\n\n# In[1]:\n\n\nimport numpy as np\n\n\n# In[ ]:\n\n\n"
    )
    exported += CODE
    for ending in (".py", ".ipynb"):
        cells, (remark,) = cells_of(exported.encode(), ending)
        assert [cell.source.strip() for cell in cells[1:]] == ["import numpy as np", CODE]
        assert "as text" in remark and ".ipynb" in remark
    begin = "```{code-cell} ipython3\n"
    myst = f"{begin}---\ntags: [a]\n---\n{CODE}\n```\n\n{begin}:tags: [a]\n\n{CODE}\n```\n\n+++\n\nA text"
    kinds = [(cell.kind, cell.source.strip()) for cell in cells_of(myst.encode(), ".md")[0]]
    assert kinds == [("code", CODE), ("code", CODE), ("markdown", "A text")]
    assert cells_of(CODE.encode(), ".py")[0] == [Cell("code", CODE)]
    assert "no notebook" in said("# Read me\n\nMy answers.", ".md")


def test_pictures():
    pixel = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    assert decoded(pixel) == ("gif", pixel) == decoded(f"{pixel[:9]}\n{pixel[9:]}")
    assert decoded(pixel[:-1]) is decoded("") is decoded(pixel + "'") is decoded("PHN2Zz4=") is decoded("é") is None
    text = f"![a](data:image/gif;base64,{pixel}) " * (PICTURES + 1)
    (cell,), (remark,) = cells_of(dumped({"cells": [{"cell_type": "markdown", "source": text}]}).encode())
    assert len(cell.pictures) == PICTURES and "left out" in remark and "base64" not in cell.source


# Which file


def put(path, text=None, changed=None):
    """A notebook at `path`, changed so many seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or dumped(notebook(CODE)), encoding="utf-8")
    if changed is not None:
        os.utime(path, (10**9 - changed,) * 2)
    return path


def zipped(path, *names, changed=(2020, 1, 1, 0, 0, 0), text=CODE):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in names:
            file.writestr(zipfile.ZipInfo(name, changed), dumped(notebook(text)))
    return path


@pytest.mark.parametrize(
    "name",
    [
        *(
            "06_convolution_arithmetic (1).ipynb",
            "06_convolution_arithmetic-1.ipynb",
            "06_Convolution_Arithmetic.IPYNB",
        ),
        *("06_convolution_arithmetic-Copy1.ipynb", "Copy of 06_convolution_arithmetic.ipynb", "my answers.ipynb"),
        *("06_convolution_arithmetic.ipynb.txt", "06_convolution_arithmetic.json", "06_convolution_arithmetic"),
        *("sub/folder/06_convolution_arithmetic.ipynb", "06_convolution_arithmetic.py", "é\u202e\n.ipynb"),
        "annamuster_4711_assignsubmission_file_06_convolution_arithmetic.ipynb",
    ],
)
def test_the_only_notebook_there_is_taken_whatever_it_is_called(name, tmp_path):
    path = put(tmp_path / name)
    for other in (".hidden.ipynb", "~x.ipynb", "x.ipynb~", "__MACOSX/._06_convolution_arithmetic.ipynb", "notes.txt"):
        put(tmp_path / other)
    put(tmp_path / ".ipynb_checkpoints" / "06_convolution_arithmetic-checkpoint.ipynb")
    put(tmp_path / "04_dropout.ipynb")  # another chapter's
    taken, (remark,), others = found(tmp_path, NAME)
    assert (taken, others) == (path, []) and remark.isprintable()
    assert (
        remark.startswith(f'The notebook is called "{name[:2]}'.replace("é\u202e", "é?")) and "the only one" in remark
    )


def test_the_exact_name_needs_no_remark(tmp_path):
    path, other = put(tmp_path / NAME, changed=9), put(tmp_path / "scratch.ipynb", changed=5)
    assert found(tmp_path, NAME) == (path, [], [other])


def test_of_several_the_last_counts(tmp_path):
    old, new = put(tmp_path / NAME, changed=9), put(tmp_path / NAME.replace(".", " (1)."), changed=5)
    taken, (remark,), others = found(tmp_path, NAME)
    assert (taken, others) == (new, [old]) and "Of 2 notebooks the last one" in remark and " (1)" in remark
    os.utime(old, (10**9,) * 2)
    assert found(tmp_path, NAME)[0] == old
    os.utime(new, (10**9 + 1,) * 2)
    assert found(tmp_path, NAME)[0] == old  # at about the same time: the one that is called so


def test_of_a_whole_work_folder_the_exercises_count(tmp_path):
    path, chapter = put(tmp_path / "work" / "exercises" / NAME, changed=99), put(tmp_path / "work" / NAME, changed=9)
    assert found(tmp_path, NAME)[::2] == (path, [chapter])


def test_what_is_no_notebook_by_its_name_never_wins(tmp_path):
    path = put(tmp_path / "mine.ipynb", changed=9)
    for name in ("data.json", "helper.py", "06_convolution_arithmetic.py", "README.md"):
        put(tmp_path / name, changed=1)
    assert found(tmp_path, NAME)[0] == path
    path.unlink()
    assert found(tmp_path, NAME)[0] == tmp_path / "06_convolution_arithmetic.py"


def test_other_names_of_which_the_last_counts(tmp_path):
    a, b = put(tmp_path / "a.ipynb", changed=5), put(tmp_path / "b.ipynb", changed=9)
    assert found(tmp_path, NAME)[::2] == (a, [b])


def test_nothing_there(tmp_path):
    assert found(tmp_path, NAME) == (None, [], [])
    put(tmp_path / "04_dropout.ipynb")
    for name in ("a.pdf", "b.docx", "c.tar.gz"):
        put(tmp_path / name)
    taken, (remark,), others = found(tmp_path, NAME)
    assert taken is None and others == [] and '"a.pdf"' in remark and "and 1 more" in remark


@pytest.mark.parametrize("name", [NAME, f"work/{NAME}", f"C:\\Users\\ann\\{NAME}", "answers.ipynb"])
def test_a_notebook_in_a_zip_file(name, tmp_path, released):
    path = zipped(tmp_path / "handed in.ZIP", "__MACOSX/._x.ipynb", name, ".git/x.ipynb", "folder/", "inner.zip")
    taken, (remark,), others = found(tmp_path, NAME)
    assert "handed in.ZIP/" in remark and others == []
    assert content(taken) == dumped(notebook(CODE)).encode() and not taken.exists()
    assert intake.intake(taken, released).notebook.cells
    assert sorted(tmp_path.iterdir()) == [path]  # nothing is unpacked


def test_a_notebook_beside_a_zip_file(tmp_path):
    path = zipped(tmp_path / "all.zip", NAME)
    beside = put(tmp_path / NAME, changed=0)  # 2001: before the one in the zip file
    taken, _, others = found(tmp_path, NAME)
    assert (taken, others) == (path / NAME, [beside])
    zipped(path, NAME, changed=(2000, 1, 1, 0, 0, 0))
    assert found(tmp_path, NAME)[::2] == (beside, [path / NAME])


def test_zip_files_that_are_refused(tmp_path, monkeypatch):
    def refused(words):
        taken, (remark,), _ = found(tmp_path, NAME)
        assert taken is None and remark.startswith('"x.zip" was not opened.') and words in remark

    zipped(tmp_path / "x.zip", NAME, "../../x.ipynb")
    refused("outside")
    zipped(tmp_path / "x.zip", "/etc/x.ipynb")
    refused("outside")
    data = bytearray(zipped(tmp_path / "x.zip", NAME).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    refused("password")
    for data in (
        b"",
        b"PK",
        b"PK\x05\x06" + bytes(18),
        bytes(100),
        zipped(tmp_path / "x.zip", NAME).read_bytes()[:-30],
    ):
        (tmp_path / "x.zip").write_bytes(data)
        if data != b"PK\x05\x06" + bytes(18):  # an empty one, which is no fault
            refused("cut short or damaged")
    monkeypatch.setattr(zips, "TABLE", 1000)
    zipped(tmp_path / "x.zip", *[f"{i}.ipynb" for i in range(50)])
    refused("far too many files")


def test_zip_members_that_are_refused(tmp_path, monkeypatch):
    path = zipped(tmp_path / "x.zip", NAME, text="x" * 10**6)
    monkeypatch.setattr(intake, "LIMITS", Limits(notebook=10**5))
    with pytest.raises(Unreadable, match="too large"):
        content(path / NAME)
    data = path.read_bytes()
    for size in (b"\x05\0\0\0", b"\xff\xff\xff\x7f"):  # whatever the file says of it
        place = data.index(b"PK\x01\x02") + 24
        path.write_bytes(data[:place] + size + data[place + 4 :])
        with pytest.raises(Unreadable):
            content(path / NAME)
    path.write_bytes(data[:60] + b"xxxx" + data[64:])
    with pytest.raises(Unreadable, match="cannot be unpacked"):
        content(path / NAME)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr(NAME, "x")
        file.writestr("x" * 250 + ".ipynb", "x")
        file.writestr("x/" * 2_000 + ".ipynb", "x")
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert list(zips.members(path)) == [NAME]
    for name in (NAME, "missing"):
        with pytest.raises(Unreadable, match="cannot be unpacked"):
            content(path / name)


def test_a_file_that_is_too_large_is_not_read(hand_in, released, tmp_path, monkeypatch):
    path = hand_in(tmp_path, "someone", released)
    monkeypatch.setattr(intake, "LIMITS", Limits(notebook=path.stat().st_size))
    intake.intake(path, released)
    monkeypatch.setattr(intake, "LIMITS", Limits(notebook=path.stat().st_size - 1))
    with pytest.raises(Unreadable, match="too large"):
        intake.intake(path, released)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to("/etc/passwd"), "is a link"),
        (lambda path: path.symlink_to(path), "is a link"),
        (lambda path: os.mkfifo(path), "is a device or a pipe"),
        (lambda path: os.symlink("/dev/zero", path), "is a link"),
    ],
)
def test_what_is_no_file_is_refused(make, words, tmp_path):
    make(tmp_path / NAME)
    taken, remarks, others = found(tmp_path, NAME)
    assert (taken, remarks, others) == (tmp_path / NAME, [], [])
    with pytest.raises(Unreadable, match=words):
        content(taken)
    other = put(tmp_path / "other.ipynb")
    assert found(tmp_path, NAME)[0] == other


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_links_are_never_followed(tmp_path):
    path = put(tmp_path / "b" / NAME)
    (tmp_path / "a").symlink_to(tmp_path / "b")
    taken, _, _ = found(tmp_path / "a", NAME)
    with pytest.raises(Unreadable, match="is a link"):
        content(taken)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "folder").symlink_to(tmp_path / "b")
    (tmp_path / "c" / "x.zip").symlink_to(zipped(tmp_path / "x.zip", NAME))
    assert found(tmp_path / "c", NAME) == (None, [], []) and path.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_odd_names(tmp_path):
    for name in (
        "x" * 249 + ".ipynb",
        os.fsdecode(b"06_\xff\xfe.ipynb"),
        "a\nb\x1b[31m.ipynb",
        '"; rm -rf /.ipynb'.replace("/", ""),
    ):
        path = put(tmp_path / "one" / name)
        taken, (remark,), _ = found(tmp_path / "one", NAME)
        assert taken == path and remark.isprintable() and len(remark) < 200 and remark.encode()
        assert content(taken)
        path.unlink()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may open everything")
def test_what_may_not_be_opened(tmp_path):
    path = put(tmp_path / "a" / NAME)
    path.chmod(0)
    with pytest.raises(Unreadable, match="cannot be opened: Permission denied"):
        content(found(tmp_path / "a", NAME)[0])
    path.parent.chmod(0)
    try:
        assert found(tmp_path / "a", NAME) == (None, ['The folder "a" cannot be opened: Permission denied.'], [])
    finally:
        path.parent.chmod(0o755)


def test_a_folder_full_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "FILES", 5)
    for number in range(7):
        put(tmp_path / f"{number}.txt")
    taken, remarks, _ = found(tmp_path, NAME)
    assert taken is None and "5 files or more" in remarks[0]

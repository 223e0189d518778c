"""What comes of a batch: odd names, class lists, tables that no spreadsheet obeys, pages, the archive."""

import csv
import io
import os
import re
import subprocess
import sys
import unicodedata

import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading import archive
from course_utils.exercises.grading.platforms import Result, canvas, missing, moodle, table_for
from course_utils.exercises.grading.report import Grades, Row, page, table
from course_utils.exercises.grading.roster import match, people_of, read_roster
from course_utils.exercises.grading.students import Student, file_name, named, students

ODD = ["-rf", "a/b", "..", ".", "CON", "nul.txt", "two\nlines", "a[1]", "a(1]", "~", "a%20b", "x" * 250, "Ł" * 120]
ODD += ["Anna ", "$(reboot)", "\u202eanna", "", " ", "a\\b", "a\0b", "\ud800", "?", "#1", "COM1", "anna-0123abcd"]


def test_plain_names_are_names_of_files():
    for name in ("Anna", "O'Brien, Zoë (2)", "Łukasz", "王伟", "anna@uni.example", "s123456", "Ann-Kathrin"):
        assert file_name(name) == name


def test_odd_names_become_plain_ones_and_no_two_become_one():
    given = [file_name(name) for name in ODD]
    assert len(set(given)) == len(ODD) and not set(given) & set(ODD)
    for name in given:
        assert name.isascii() and name.isprintable() and len(name) <= 60 and not set(name) & set("/\\*?[]%#$")
        assert file_name(name) != name  # so that nobody can bear the name that another one is given


def test_a_locale_without_the_letters(tmp_path):
    """As on a server whose locale knows ASCII alone; the folders were unpacked by another program."""
    for name in ("Łukasz", "Zoë"):
        (tmp_path / "in" / name).mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path\n"
        "from course_utils.exercises.grading.students import students\n"
        "for s in students(Path(sys.argv[1]), Path('out')):\n"
        "    (Path(sys.argv[1]) / s.key).write_text(s.name, encoding='utf-8'); print(ascii(s.name), s.folder.exists())"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    line = [sys.executable, "-c", code, str(tmp_path / "in")]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.stderr == "" and sorted(done.stdout.splitlines()) == ["'Zo\\xeb' True", "'\\u0141ukasz' True"]


def test_who_handed_in(tmp_path):
    for name in (
        "Anna",
        "__MACOSX",
        ".git",
        "graded",
        "...",
        "=cmd",
        unicodedata.normalize("NFD", "Zoë"),
        "Ben ",
        "Ben",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / "readme.txt").write_text("")
    found = {student.name: student for student in students(tmp_path, tmp_path / "graded")}
    assert set(found) == {"Anna", "=cmd", "Zoë", "Ben"}
    assert "look like one student; rename one" in found["Ben"].trouble and not found["Anna"].trouble
    assert named(unicodedata.normalize("NFD", "Zoë"), [*found.values()]).name == "Zoë"
    with pytest.raises(ValueError, match="there is no student 'Anne'; expected one such as 'Anna'"):
        named("Anne", [*found.values()])


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1+1", "'=1", "''=1", "'t Hooft", "O'Brien", "Anna", "\n=1"]


def test_no_cell_is_a_formula_and_every_name_comes_back(tmp_path):
    grades = Grades(tmp_path / "grades.csv", ["1"])
    for name in FORMULAS:
        grades.add(Row(name, {"1": 2}, {"1": -1}))
    with (tmp_path / "grades.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r\n＝＋－＠" and cell]
    assert len({row[0] for row in rows}) == len(FORMULAS) and [rows[-2][0], rows[9][0]] == ["Anna", "'t Hooft"]
    assert list(Grades(tmp_path / "grades.csv", ["1"]).rows) == FORMULAS


def test_a_row_that_is_not_graded_keeps_what_there_was(tmp_path):
    most = {"1": 2, "2": 3}
    grades = Grades(tmp_path / "grades.csv", most)
    grades.add(Row("Anna", most, {"1": 2, "2": None}))
    again = Grades(tmp_path / "grades.csv", most)
    for student in ("Anna", "Ben"):
        again.add(Row(student, most, {"1": 0, "2": 0}, status="not_graded"))
    text = (tmp_path / "grades.csv").read_text()
    assert text.splitlines()[1:] == ["Anna,not_graded,2,5,3,2,", "Ben,not_graded,,5,,,"]
    (tmp_path / "grades.csv").write_text("student;status\n")
    with pytest.raises(ValueError, match="was changed since it was written"):
        Grades(tmp_path / "grades.csv", most, some=True)
    assert Grades(tmp_path / "grades.csv", most).rows == {}


def test_a_page_shows_what_a_student_wrote_and_obeys_none_of_it():
    hostile = "<img src=x onerror=alert(1)> [x](javascript:1) `a` **b** | https://x.example\n# c"
    row = Row(hostile, {"1": 2}, {"1": 0}, {"1": "double is not right yet."}, "ok", [hostile])
    text = page(row)
    assert "<img" not in text and "https://" not in text and not re.search(r"(?<!\\)[\[\]`*]", text)
    assert len(text.splitlines()) == 7 and "| 1 | 0 of 2 | double is not right yet. |" in text


def test_points_that_wait_are_no_loss_in_the_title():
    titles = [
        page(Row("Ada", {"1": 14, "2": most}, {"1": 13.5, "2": given})).partition("\n")[0]
        for most, given in ((4, None), (1, None), (4, 3), (4, 0))
    ]
    assert titles == [
        "# Ada: 13.5 of 14 points so far, 4 wait for a mark by hand",
        "# Ada: 13.5 of 14 points so far, 1 waits for a mark by hand",
        "# Ada: 16.5 of 18 points",
        "# Ada: 13.5 of 18 points",
    ]


LISTS = {
    "plain": "Anna Berg\nBerg, Ben\n\n  Chi   Lee \nAnna Berg\n",
    "header": "matric;Name\n1;Anna Berg\n2;Berg, Ben\n3;Chi Lee\n",
    "first and last": 'First name,Surname,Email address\nAnna,Berg,a@x.y\n,"Berg, Ben",b@x.y\nChi,Lee,c@x.y\n',
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,06 (77)\n    Points Possible,,,,,18\n"
        'Anna Berg,1,,ab1,S1,\n"Berg, Ben",2,,bb1,S1,\nChi Lee,3,,cl1,S1,\n'
    ),
    "moodle": (
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\n"
        'Participant 11,Anna Berg,a@x.y,,,18,\nParticipant 12,"Berg, Ben",b@x.y,,,18,\n'
        "Participant 13,Chi Lee,c@x.y,,,18,\n"
    ),
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "with a byte-order mark"])
@pytest.mark.parametrize("kind", LISTS)
def test_class_lists(kind, mark, tmp_path):
    (tmp_path / "class.csv").write_text(mark + LISTS[kind], encoding="utf-8", newline="")
    roster = read_roster(tmp_path / "class.csv")
    handed_in = [Student("anna berg", tmp_path), Student("Ben Berg", tmp_path), Student("Max", tmp_path)]
    assert [(s.name, s.folder is None) for s in match(roster, handed_in)] == [
        *(("anna berg", False), ("Ben Berg", False), ("Chi Lee", True))
    ]


def test_two_of_one_name_are_told_apart_by_an_id_only(tmp_path):
    (tmp_path / "class.csv").write_text("name,id\nAnna,1\nAnna,2\n")
    roster = read_roster(tmp_path / "class.csv")
    assert [s.name for s in match(roster, [Student("Anna", tmp_path)])] == ["Anna (1)", "Anna (2)"]
    assert [s.name for s in match(roster, [Student("2", tmp_path)])] == ["Anna (1)", "2"]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\n \n", b"name,id\n", b"J\xf6rg\n", b"a\0b\n", "Anna".encode("utf-16"), b'"' * 3 + b"a" * 2**18],
)
def test_class_lists_that_are_none(content, tmp_path):
    path = tmp_path / "class.csv"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises((ValueError, OSError), match=r"class\.csv"):
        read_roster(path)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_tables_for_platforms(tmp_path):
    results = [Result("Anna Berg", "7", "# <b>Anna</b>\n"), Result("Ben Berg", "", ""), Result("Chi Lee", "0", "x")]
    (tmp_path / "moodle.csv").write_text(LISTS["moodle"])
    first, second, _ = rows_of(moodle(read_roster(tmp_path / "moodle.csv"), results, "06", 18))
    assert (first["Identifier"], first["Grade"], first["Maximum Grade"]) == ("Participant 11", "7", "18")
    assert first["Feedback comments"] == "<pre># &lt;b&gt;Anna&lt;/b&gt;\n</pre>" and second["Grade"] == ""
    (tmp_path / "canvas.csv").write_text(LISTS["canvas"])
    possible, first, second, _ = rows_of(canvas(read_roster(tmp_path / "canvas.csv"), results, "06", 18))
    assert possible["06 (77)"] == "18" and first == {
        **{"Student": "Anna Berg", "ID": "1", "SIS User ID": "", "SIS Login ID": "ab1", "Section": "S1", "06 (77)": "7"}
    }
    assert second["Student"] == "Berg, Ben" and second["06 (77)"] == ""


def test_it_is_said_what_a_table_for_a_platform_lacks(tmp_path):
    def said(format, text, most=18):
        (tmp_path / "class.csv").write_text(text)
        return missing(format, read_roster(tmp_path / "class.csv"), most)

    assert said("moodle", LISTS["moodle"]) == said("canvas", LISTS["canvas"]) == said("csv", LISTS["plain"]) == []
    for written in ("100", "100.00", "100,00"):
        (sentence,) = said("moodle", LISTS["moodle"].replace(",18,", f',"{written}",'))
        assert sentence == ("the worksheet's maximum is 100, the exercises have 18 points: set it in Moodle first")
    assert said("moodle", LISTS["plain"]) == ["no ids: give the grading worksheet as the roster"]
    assert said("canvas", LISTS["plain"]) == ["no ids: give the gradebook that you exported as the roster"]


def test_a_platform_is_told_of_folders_by_their_names_where_there_is_no_class_list(tmp_path):
    work, out = tmp_path / "in", tmp_path / "out"
    for name in ("Anna Berg_4711_assignsubmission_file", "Ben"):
        (work / name).mkdir(parents=True)
    grades = Grades(out / "grades.csv", ["1"])
    grades.add(Row("Ben", {"1": 2}, {"1": 2}))
    assert grades.keep(["Ben"]) == [] and grades.keep([]) == ["Ben"] and not grades.rows
    grades.add(Row("Ben", {"1": 2}, {"1": 2}))
    roster, results = table_for(people_of(work, None, out), grades, out)
    first, second = rows_of(moodle(roster, results, "06", 2))
    assert (first["Identifier"], first["Full name"], first["Grade"]) == ("Participant 4711", "Anna Berg", "")
    assert (second["Identifier"], second["Full name"], second["Grade"]) == ("", "Ben", "2")
    assert rows_of(canvas(roster, results, "06", 2))[2]["SIS Login ID"] == "Ben"


def test_names_in_tables_for_platforms_are_no_formulas():
    assert table([["=1", "a"]]) == "'=1,a\r\n"


def test_the_last_submission_is_kept_and_the_others_are_archived(tmp_path):
    out, folder = tmp_path / "out", tmp_path / "in"
    folder.mkdir()

    def put(name, text, changed):
        (folder / name).write_text(text)
        os.utime(folder / name, (changed, changed))
        return folder / name

    def archived():
        return sorted(path.read_text() for path in (out / "archive" / "Anna").glob("*"))

    first, second = put("06.ipynb", "one", 10**9), put("06 (1).ipynb", "two", 10**9 + 60)
    for _ in range(2):
        archive.keep(second, [first], out, "Anna")
        assert (out / "handed-in" / "Anna.ipynb").read_text() == "two" and archived() == ["one"]
    put("06.ipynb", "three", 10**9 + 120)
    archive.keep(first, [second], out, "Anna")
    assert (out / "handed-in" / "Anna.ipynb").read_text() == "three" and archived() == ["one", "two"]
    archive.keep(put("06.ipynb", "four", 10**9 + 120), [], out, "Anna")
    assert archived() == ["one", "three", "two"] and len({path.name for path in (out / "archive/Anna").iterdir()}) == 3
    assert all(path.name.startswith("2001") for path in (out / "archive/Anna").iterdir())


def test_no_link_is_archived(tmp_path):
    (tmp_path / "secret").write_text("of the teacher")
    (tmp_path / "06.ipynb").write_text("mine")
    (tmp_path / "06 (1).ipynb").symlink_to(tmp_path / "secret")
    archive.keep(tmp_path / "06.ipynb", [tmp_path / "06 (1).ipynb"], tmp_path / "out", "Anna")
    archive.keep(tmp_path / "06 (1).ipynb", [], tmp_path / "out", "Ben")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["Anna.ipynb"]

"""What notebooks show: figures with caption and alt text, tables, source, and the profile in force."""

import base64
import re
import socket
import xml.dom.minidom
from urllib.parse import unquote

import matplotlib.pyplot as plt
import pytest
from nbconvert.filters import markdown2html

from course_utils import datasets, notebook
from course_utils.notebook import Profile, Table, WrongProfile, profile, show, show_source
from course_utils.scratch import conv2d


class Unreachable:
    """A socket on a machine without a network."""

    def __init__(self, *args, **kwargs):
        raise OSError("Network is unreachable")


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9"><text id="a">3 &lt; 4 &amp; 100% #1 × "it\'s"</text></svg>'


@pytest.fixture
def html_of(monkeypatch):
    """`show`, which returns the HTML that it displays."""

    def html(figure, caption, alt):
        displayed = []
        monkeypatch.setattr(notebook, "display", lambda data, raw: displayed.append((data, raw)))
        show(figure, caption, alt)
        ((data, raw),) = displayed
        assert raw, "else the kernel looks for a picture of a dictionary"
        assert set(data) == {"text/html", "text/plain"} and data["text/plain"] == f"Figure: {alt}"
        return data["text/html"]

    return html


def source_of(html):
    return re.search(r'<img [^>]*src="([^"]*)"', html).group(1)


def test_svg_comes_through_whole_with_caption_and_alt_text(html_of):
    html = html_of(SVG, "What <b>comes</b> out", 'a "9" < 10')
    kind, data = source_of(html).split(",", 1)
    assert kind == "data:image/svg+xml"
    assert unquote(data) == SVG
    assert "<" not in data and "&" not in data and "#" not in data  # neither HTML nor the address takes it for its own
    xml.dom.minidom.parseString(unquote(data))
    assert 'alt="a &quot;9&quot; &lt; 10"' in html
    assert "<figcaption>" in html and "What <b>comes</b> out" in html


def test_matplotlib_figure_is_a_png_and_is_closed(html_of):
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    html = html_of(figure, "A line.", "a rising line")
    kind, data = source_of(html).split(",", 1)
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert not plt.get_fignums(), "an open figure would be shown a second time"


def test_figure_needs_an_alt_text_and_svg_its_namespace():
    with pytest.raises(ValueError, match="alt text"):
        show(SVG, "A caption.", " ")
    with pytest.raises(ValueError, match="xmlns"):
        show("<svg></svg>", "A caption.", "nothing")


def test_table_in_html_and_in_plain_text():
    table = Table([["<b>", 2]], ["name", "count"], "Two < three.")
    html = table._repr_html_()
    assert "&lt;b&gt;" in html and "Two < three." in html
    assert Table([[1]], ["a"])._repr_html_().endswith("</table>"), "no caption, no paragraph"
    assert repr(table).splitlines()[0].split() == ["name", "count"]


def test_numbers_stand_right_and_keep_their_digits():
    table = Table([["a", 1 / 3, "0.860", "1,200"], ["b", None, "12.10", "7 ± 1"]], ["name", "x", "y", "z"])
    first, second = [
        re.findall(r"text-align: (\w+);\">\s*(.*?)\s*</td>", row) for row in table._repr_html_().split("<tr>")[2:]
    ]
    assert first == [("left", "a"), ("right", "0.333333"), ("right", "0.860"), ("left", "1,200")]
    assert second == [("left", "b"), ("right", ""), ("right", "12.10"), ("left", "7 ± 1")]
    assert "0.860" in repr(table)
    with pytest.raises(ValueError):
        repr(Table([[1, 2], [3]], ["a", "b"]))


@pytest.mark.parametrize(
    ("text", "side"),
    [
        *((number, "right") for number in ("-3", "\u22123", "+0.5", ".5", "1,200", "1e-06", "5%", "5 %", "")),
        *((word, "left") for word in ("-", "3 x 3", "1e", "5 %%", "v2", "3.", " ")),
    ],
)
def test_what_is_a_number(text, side):
    assert f"text-align: {side};" in Table([[text]], ["a"])._repr_html_().split("<td")[1]


def test_source_is_highlighted_and_stands_as_it_is():
    shown = show_source(show, Table)
    assert repr(shown).startswith("def show(") and "\n\n\nclass Table:" in repr(shown)
    html = markdown2html(shown._repr_markdown_())
    assert 'class="k"' in html and "namespace" in html
    assert len(shown._repr_markdown_()) < len(repr(shown)) + 99, "no style sheet comes with each cell"
    assert "monospace" in html.partition("<pre>")[0], "nbconvert has no font of its own for it"
    assert "    x, weight, bias, stride, padding, dilation = _arguments(\n        x," in repr(show_source(conv2d))


def test_source_with_a_fence_in_it_stays_one_block():
    text = 's = """\n```python\n1\n```\n"""'
    html = markdown2html(notebook.Source(text)._repr_markdown_())
    assert html.count("<pre>") == 1


def test_profile_follows_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    assert profile(quick="digits", full="mnist") == Profile("quick", "digits", "quick")
    monkeypatch.setattr(datasets, "fetch", lambda name: None)
    monkeypatch.setenv("COURSE_PROFILE", "full")
    assert profile(quick="digits", full="mnist") == Profile("full", "mnist", "full")
    monkeypatch.delenv("COURSE_PROFILE")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert profile(quick="digits", full="mnist").name == "quick"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert profile(quick="digits", full="mnist").name == "full"


@pytest.mark.parametrize("word", ["fast", "Full", " quick", "quick,full", "1"])
def test_profile_refuses_another_word(word, monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", word)
    with pytest.raises(ValueError, match=rf"{word!r}.*'quick' or 'full'"):
        profile(quick="digits", full="mnist")


def test_a_notebook_shows_the_wrong_word_in_one_line_and_no_traceback(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    def fail():
        raise WrongProfile("COURSE_PROFILE is 'fast'; it takes 'quick' or 'full'")

    shell = InteractiveShell()
    shell.user_ns["fail"] = fail
    assert not shell.run_cell("fail()").success
    assert capsys.readouterr().out == "WrongProfile: COURSE_PROFILE is 'fast'; it takes 'quick' or 'full'\n"


def test_bars_are_off_in_quick_and_on_in_full(capsys):
    quick, full = Profile("quick", "digits", "quick"), Profile("full", "mnist", "full")
    assert quick.quiet and not full.quiet
    assert list(quick.progress(range(3), "steps")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    assert list(full.progress(range(3), "steps")) == [0, 1, 2]
    assert "steps" in "".join(capsys.readouterr())


def test_profile_goes_on_with_embedded_data(monkeypatch, capsys):
    def fetch(name):
        raise datasets.DataUnavailable("no network,\nand no file")

    monkeypatch.setattr(datasets, "fetch", fetch)
    monkeypatch.setenv("COURSE_PROFILE", "full")
    assert profile(quick="digits", full="mnist") == Profile("quick", "digits", "quick")
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    "kind", ["nowhere", "a file", "a file below a file", "relative", "nobody", "too long", "locked"]
)
def test_profile_goes_on_whatever_course_data_holds(kind, monkeypatch, capsys, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "locked").mkdir(mode=0o000)  # root can look into it, and finds nothing there
    folder = {
        "nowhere": tmp_path / "nowhere",
        "a file": tmp_path / "file",
        "a file below a file": tmp_path / "file" / "x",
        "relative": "data",
        "nobody": "~nobody-of-this-name/data",
        "too long": tmp_path / ("x" * 300),
        "locked": tmp_path / "locked",
    }[kind]
    monkeypatch.setenv("COURSE_PROFILE", "full")
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.setattr(socket, "socket", Unreachable)
    assert profile(quick="digits", full="mnist") == Profile("quick", "digits", "quick")
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "goes on with the embedded digits" in said

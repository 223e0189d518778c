"""What notebooks need beside figures: a figure or a table with its caption, source code shown, the profile in force."""

import base64
import inspect
import io
import os
import re
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from IPython.display import display
from tabulate import tabulate

from course_utils.listing import narrow

NUMBER = re.compile(r"[-−+]?[\d.,]*\d(e[-+]?\d+)?( ?%)?|")  # or an empty cell


def show(figure, caption, alt):
    """Display a matplotlib Figure, or an SVG string, with a caption under it and a text for those who do not see it.

    Raises ValueError if the alt text is empty, or if an SVG does not name its namespace.
    """
    if not alt.strip():
        raise ValueError("a figure needs an alt text")
    # An <img>, for neither JupyterLab nor nbconvert takes the alt text of an image/png output, and JupyterLab drops
    # inline SVG from a notebook that it does not trust. Nor can the ids of two SVGs clash.
    image = f'<img alt="{escape(alt)}" src="{_data_uri(figure)}" style="max-width: 100%">'
    html = f'<figure style="margin: 0">{image}<figcaption>{_caption(caption)}</figcaption></figure>'
    display({"text/html": html, "text/plain": f"Figure: {alt}"}, raw=True)


def _data_uri(figure):
    if isinstance(figure, str):
        if "http://www.w3.org/2000/svg" not in figure:
            raise ValueError('an SVG figure needs xmlns="http://www.w3.org/2000/svg" in its <svg> tag')
        return "data:image/svg+xml," + quote(figure, safe=" '()*+,/:;=?@")
    import matplotlib.pyplot as plt

    png = io.BytesIO()
    figure.savefig(png, format="png")
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def _caption(text):
    style = "max-width: 46em; color: var(--jp-content-font-color2, #555); margin: 0.2em 0 1em"  # of a dark theme, too
    return f'<p style="{style}"><em>{text}</em></p>'


class Table:
    """Rows under headers: HTML in a notebook, plain text elsewhere. A column of numbers stands right, text left.

    A float is shown with up to six digits; a string is shown as it was formatted.
    """

    def __init__(self, rows, headers, caption=None):
        self.rows = [[_shown(cell) for cell in row] for row in rows]
        self.headers, self.caption = list(headers), caption

    def _format(self, form):
        columns = zip(*self.rows, strict=True)
        align = ["right" if all(NUMBER.fullmatch(cell) for cell in column) else "left" for column in columns]
        return tabulate(self.rows, self.headers, tablefmt=form, disable_numparse=True, colalign=align)

    def _repr_html_(self):
        # Notebooks set cells flush right unless they are told otherwise.
        table = re.sub(r"<(t[dh])>", r'<\1 style="text-align: left;">', self._format("html"))
        return table + (_caption(self.caption) if self.caption else "")

    def __repr__(self):
        return self._format("simple")


def _shown(cell):
    return f"{cell:g}" if isinstance(cell, float) else "" if cell is None else str(cell)


class Source:
    """Python source: a fenced block, which notebook, HTML page and slide highlight each in its own way.

    A page of nbconvert sets it in the font of what is around it.
    """

    def __init__(self, text):
        self.text = text

    def _repr_markdown_(self):
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", self.text))])
        block = f"{fence}python\n{self.text}\n{fence}"
        return f'<div style="font-family: var(--jp-code-font-family, monospace)">\n\n{block}\n\n</div>'

    def __repr__(self):
        return self.text


def show_source(*functions):
    """The source of functions or classes of `course_utils` in 88 columns, highlighted; the last line of a cell."""
    return Source("\n\n\n".join(narrow(inspect.getsource(function)) for function in functions))


class WrongProfile(ValueError):
    """COURSE_PROFILE holds a word that is no profile. A notebook shows the one line of it, and no traceback."""

    def _render_traceback_(self):
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class Profile:
    """What a notebook trains on and for how long: `quick` (embedded data, seconds on a CPU) or `full` (real data)."""

    name: str
    data: str
    recipe: str

    @property
    def quiet(self):
        """Whether long work shows no progress bar: in `quick`, which takes seconds and whose outputs are stored."""
        return self.name == "quick"

    def progress(self, things, words=None):
        """The things of a loop one by one, with a progress bar beside `words`; in `quick` without."""
        from tqdm.auto import tqdm

        return tqdm(things, words, leave=False, disable=self.quiet)


def profile(quick, full):
    """The profile in force, with the data set for `quick` and for `full`.

    COURSE_PROFILE decides; unset, it is `full` where CUDA is there. If the full data cannot be had, says so in one line
    and goes on with the embedded set. Raises WrongProfile, a ValueError, for another word in COURSE_PROFILE.
    """
    import torch

    from course_utils import datasets

    name = os.environ.get("COURSE_PROFILE") or ("full" if torch.cuda.is_available() else "quick")
    if name not in ("quick", "full"):
        raise WrongProfile(f"COURSE_PROFILE is {name!r}; it takes 'quick' or 'full'")
    if name == "full":
        try:
            datasets.fetch(full)
            return Profile("full", full, "full")
        except datasets.DataUnavailable as error:
            reason = " ".join(str(error).split())
            print(f"{full} cannot be had ({reason}); this notebook goes on with the embedded {quick}.")
    return Profile("quick", quick, "quick")

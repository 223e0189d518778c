"""What notebooks need beside figures: a figure or a table with its caption, source code shown, the profile in force."""

import base64
import inspect
import io
import os
from dataclasses import dataclass
from html import escape

from IPython.display import HTML, Code, display
from tabulate import tabulate


def show(figure, caption, alt):
    """Display a matplotlib Figure, or an SVG string, with a caption under it and a text for those who do not see it."""
    if isinstance(figure, str):
        display(HTML(f'<div role="img" aria-label="{escape(alt)}">{figure}</div>'), HTML(_caption(caption)))
        return
    import matplotlib.pyplot as plt

    png = io.BytesIO()
    figure.savefig(png, format="png")
    plt.close(figure)
    data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": f"Figure: {alt}"}
    display(data, raw=True, metadata={"image/png": {"alt": alt}, "alt": alt})
    display(HTML(_caption(caption)))


def _caption(text):
    return f'<p style="max-width: 46em; color: #555; margin: 0.2em 0 1em"><em>{text}</em></p>'


class Table:
    """Rows under headers: HTML in a notebook, plain text elsewhere."""

    def __init__(self, rows, headers, caption=None):
        self.rows, self.headers, self.caption = list(rows), list(headers), caption

    def _repr_html_(self):
        return tabulate(self.rows, self.headers, tablefmt="html") + (_caption(self.caption) if self.caption else "")

    def __repr__(self):
        return tabulate(self.rows, self.headers)


def show_source(*functions):
    """Display the source of functions or classes as it stands in `course_utils`, highlighted."""
    return Code("\n\n".join(inspect.getsource(function).rstrip() for function in functions), language="python")


@dataclass(frozen=True)
class Profile:
    """What a notebook trains on and for how long: `quick` (embedded data, seconds on a CPU) or `full` (real data)."""

    name: str
    data: str
    recipe: str


def profile(quick, full):
    """The profile in force, with the data set for `quick` and for `full`.

    COURSE_PROFILE decides; unset, it is `full` where CUDA is there. If the full data cannot be had, says so in one line
    and goes on with the embedded set. Raises ValueError for another word in COURSE_PROFILE.
    """
    import torch

    from course_utils import datasets

    name = os.environ.get("COURSE_PROFILE") or ("full" if torch.cuda.is_available() else "quick")
    if name not in ("quick", "full"):
        raise ValueError(f"COURSE_PROFILE is {name!r}; it takes 'quick' or 'full'")
    if name == "full":
        try:
            datasets.fetch(full)
            return Profile("full", full, "full")
        except datasets.DataUnavailable as error:
            print(f"{full} cannot be had ({error}); this notebook goes on with the embedded {quick}.")
    return Profile(name, quick, "quick")

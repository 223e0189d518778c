"""One look for all figures: a colour-blind-safe palette and matplotlib's settings."""

# Okabe & Ito's palette (Color Universal Design, 2008): told apart under the common colour deficiencies.
COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "ink": "#222222",
    "grey": "#767676",
    "light": "#E6E6E6",
}
# The order in which the curves of a plot take them.
CYCLE = [COLORS[name] for name in ("blue", "orange", "green", "red", "purple", "sky")]


def use_course_style():
    """Set matplotlib's defaults for the course: palette, sizes that read on a slide, no frame that carries nothing."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11,
            "axes.labelsize": 11,
            "figure.dpi": 100,
            "figure.figsize": (8, 3.6),
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "image.cmap": "gray",
            "legend.frameon": False,
            "lines.linewidth": 2,
            "savefig.bbox": "tight",
        }
    )

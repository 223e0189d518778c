"""The explorer of chapter 12, what a module costs: it runs in the page, and here is what it starts from."""

from course_utils.arithmetic import conv_multiply_adds
from course_utils.explorers.frame import Explorer, page
from course_utils.figures import inception
from course_utils.models.googlenet import TABLE

MODULES = {"3a": (192, 28), "4a": (480, 14), "4e": (528, 14), "5b": (832, 7)}  # maps in, and their size
BOUNDS = {"maps": (16, 1024), "reduce_3x3": (0, 256), "reduce_5x5": (0, 64), "pool_proj": (0, 128)}
NAMES = ("1 × 1", "3 × 3", "5 × 5", "pooling")


def draw_inception(module="3a", maps=192, reduce_3x3=96, reduce_5x5=16, pool_proj=32):
    """SVG: the multiply-adds of the four branches of an Inception module, beside those without reductions.

    module: of Table 1, whose size and output maps are taken; maps: that it reads; the others: maps after the 1 × 1
    convolution of a branch, 0 without it. Raises ValueError for what the explorer does not have.
    """
    if module not in MODULES:
        raise ValueError(f"module is {module!r}; expected {', '.join(MODULES)}")
    given = {"maps": maps, "reduce_3x3": reduce_3x3, "reduce_5x5": reduce_5x5, "pool_proj": pool_proj}
    for name, value in given.items():
        low, high = BOUNDS[name]
        if value not in range(low, high + 1):
            raise ValueError(f"{name} is {value!r}; expected {low} to {high}")
    n1x1, _, n3x3, _, n5x5, _ = TABLE[f"inception{module}"]
    rows = []
    for name, kernel, reduced, out in zip(
        NAMES, (1, 3, 5, 1), (0, reduce_3x3, reduce_5x5, 0), (n1x1, n3x3, n5x5, pool_proj), strict=True
    ):

        def cost(before, after, kernel):
            return conv_multiply_adds(before, after, kernel, (MODULES[module][1],) * 2) if before and after else 0

        before = 0 if name == "pooling" else cost(maps, out, kernel)
        small, large = cost(maps, reduced, 1), cost(reduced or maps, out, kernel)
        if kernel == 1:
            small, large = large, 0
        chain = " → ".join(str(count) for count in (maps, reduced, out or maps) if count)
        rows.append((name, chain, small, large, before))
    whole = n1x1 + n3x3 + n5x5 + (pool_proj or maps), sum(small + large for _, _, small, large, _ in rows)
    naive = n1x1 + n3x3 + n5x5 + maps, sum(row[-1] for row in rows)
    labels = [f"{words}, {out} maps out" for words, (out, _) in (("module", whole), ("naive", naive))]
    return inception.branches(rows, (labels[0], whole[1]), (labels[1], naive[1]))


def explore_inception(module="3a", maps=192, reduce_3x3=96, reduce_5x5=16, pool_proj=32):
    """The explorer, in the page: move the reductions, and see what each branch costs.

    Arguments and errors are those of `draw_inception`.
    """
    start = {"module": module, "maps": maps, "reduce_3x3": reduce_3x3, "reduce_5x5": reduce_5x5, "pool_proj": pool_proj}
    figure = draw_inception(**start)
    alt = (
        f"Bars for the multiply-adds of the four branches of module {module} on {maps} maps, reduced to {reduce_3x3} "
        f"before 3 by 3 and to {reduce_5x5} before 5 by 5. Below, the whole module, and the one without reductions."
    )
    table = {name: [*size, *TABLE[f"inception{name}"]] for name, size in MODULES.items()}
    data = {"start": start, "bounds": BOUNDS, "modules": table, "names": NAMES, "note": inception.NOTE}
    data |= {"axis": [inception.LEFT, inception.RIGHT, inception.ROW]}
    return Explorer(page("inception.js", data), figure, alt)

"""The exercises of chapter 12, GoogLeNet."""

from functools import cache

import numpy as np

from course_utils.arithmetic import conv_multiply_adds, conv_parameters
from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 12-1: what a module costs


def draw_cost(rng):
    widths = tuple(int(rng.integers(2, 60)) for _ in range(6))
    return int(rng.integers(3, 200)), widths, int(rng.integers(3, 30))


def _layers(before, widths, large=5, pooled=1):
    """(maps in, maps out, kernel size) of each convolution."""
    n1x1, reduce3, n3x3, reduce5, n5x5, pool_proj = widths
    layers = [(before, n1x1, 1), (before, reduce3, 1), (reduce3, n3x3, 3)]
    return [*layers, (before, reduce5, 1), (reduce5, n5x5, large), (before, pool_proj, pooled)]


def _cost(layers, size, bias=True):
    weights = sum(conv_parameters(i, o, k, bias=bias) for i, o, k in layers)
    return weights, sum(conv_multiply_adds(i, o, k, (size, size)) for i, o, k in layers)


def cost(before, widths, size):
    return widths[0] + widths[2] + widths[4] + widths[5], *_cost(_layers(before, widths), size)


def wrong_costs(before, widths, size):
    layers = _layers(before, widths)
    maps, parameters, multiply_adds = cost(before, widths, size)
    n1x1, reduce3, n3x3, reduce5, n5x5, pool_proj = widths
    naive = [(before, n1x1, 1), (before, n3x3, 3), (before, n5x5, 5)]
    lines = sum(i * o * k for i, o, k in layers)  # a row of each window
    other_orders = [(n1x1, reduce5, n3x3, reduce3, n5x5, pool_proj), (n1x1, n3x3, reduce3, n5x5, reduce5, pool_proj)]
    shrunk = sum(i * o * k**2 * (size - k + 1) ** 2 for i, o, k in layers)
    pooled = multiply_adds - before * pool_proj * (size**2 - (size - 2) ** 2)
    return {
        "counts the maps of the reductions as outputs of the module. Only the ends of the branches are joined.": (
            sum(widths),
            parameters,
            multiply_adds,
        ),
        "is that of the naive module: its large windows read all maps.": (..., *_cost(naive, size)),
        "gives the naive number of maps: what the pooling gives passes through a projection here.": (
            maps - widths[5] + before,
            ...,
            ...,
        ),
        "leaves out the biases.": (maps, _cost(layers, size, bias=False)[0], multiply_adds),
        "gives the projection behind the pooling a window of 3 × 3. It is a 1 × 1 convolution.": (
            maps,
            *_cost(_layers(before, widths, pooled=3), size),
        ),
        "has windows of 3 × 3 in the third branch.": (maps, *_cost(_layers(before, widths, large=3), size)),
        "leaves out the 1 × 1 reductions.": (maps, *_cost([layers[0], layers[2], layers[4], layers[5]], size)),
        "has the numbers of `widths` in another order than the text.": Either(
            *(cost(before, order, size) for order in other_orders)
        ),
        "takes kernel_size weights for a window. There are kernel_size² of them.": (
            maps,
            lines + sum(widths),
            lines * size**2,
        ),
        "leaves out the 1 × 1 convolution behind the pooling.": (maps, *_cost(layers[:-1], size)),
        "counts biases as multiply-adds.": (maps, parameters, parameters * size**2),
        "counts a multiplication and an addition as two. A multiply-add is one.": (maps, parameters, 2 * multiply_adds),
        "uses each weight at `size` positions. There are size² of them.": (maps, parameters, multiply_adds // size),
        "lets maps shrink. With padding, all layers work at size² positions.": Either(
            *((maps, parameters, fewer) for fewer in (shrunk, pooled))
        ),
        "has the numbers in the wrong order.": (maps, multiply_adds, parameters),
        "has maps and parameters right. Each weight is used once at every position.": (maps, parameters, ...),
        "has the number of maps right, but not the parameters.": (maps, ..., ...),
    }


# 12-2: when a reduction pays


def draw_most(rng):
    """In three of ten, some reduction costs exactly as much as none; in one of ten, no reduction pays."""
    kernel_size, after, kind = int(rng.choice([3, 5, 7])), int(rng.integers(2, 100)), rng.random()
    if kind < 0.1:
        return kernel_size, 1, after
    if kind < 0.4:
        after += after % 2
        return kernel_size, kernel_size**2 * after, after
    return kernel_size, int(rng.integers(2, 900)), after


def most(kernel_size, before, after):
    window = kernel_size**2 * after
    return (window * before - 1) // (before + window)


def wrong_most(kernel_size, before, after):
    window, right = kernel_size**2 * after, most(kernel_size, before, after)
    as_much = window * before % (before + window) == 0
    table = {
        "is not always smaller: with so many maps the branch may cost exactly as much as without the reduction.": (
            right + as_much
        ),
        "is one too many: it is the first number that does not pay.": right + (not as_much),
        "leaves out what the 1 × 1 convolution itself costs.": before - 1,
        "has the maps before and after the wrong way round.": most(kernel_size, after, before),
        "takes too few weights for a window. There are kernel_size² of them.": Either(
            (kernel_size * after * before - 1) // (before + kernel_size * after), most(1, before, after)
        ),
        "gives the number of maps that come out. The question is about those between the two layers.": after,
        "is smaller than it has to be. More maps may be left, and it still pays.": min(1, right),
    }
    return {words: wrong for words, wrong in table.items() if wrong != right}


# 12-3: what a projection can keep


def draw_kept(rng):
    n, maps, size = int(rng.integers(1, 4)), int(rng.integers(3, 7)), int(rng.integers(4, 7))
    mixing, scale = rng.normal(size=(maps, maps)), 2.0 ** -np.arange(maps)
    x = np.einsum("oc,nchw->nohw", mixing * scale, rng.normal(size=(n, maps, size, size)))
    return x + rng.normal(size=(1, maps, 1, 1)), int(rng.integers(1, maps))


def _values(x):
    return x.transpose(1, 0, 2, 3).reshape(x.shape[1], -1)


def kept(x, r):
    values = _values(x)
    singular = np.linalg.svd(values - values.mean(axis=1, keepdims=True), compute_uv=False)
    return float((singular[:r] ** 2).sum() / (singular**2).sum())


def wrong_kept(x, r):
    values = _values(x)
    centred = values - values.mean(axis=1, keepdims=True)
    singular = np.linalg.svd(centred, compute_uv=False)
    raw, common = (np.linalg.svd(v, compute_uv=False) ** 2 for v in (values, values - values.mean()))
    variances = centred.var(axis=1)
    apart = x.reshape(x.shape[1], -1)  # with one image, the same as `values`
    images = [kept(image[None], r) for image in x]

    def share(rows):
        each = np.linalg.svd(rows, compute_uv=False) ** 2
        return float(each[:r].sum() / each.sum())

    return {
        "does not subtract the mean of each map.": float(raw[:r].sum() / raw.sum()),
        "subtracts one mean for all maps. Each map has its own.": float(common[:r].sum() / common.sum()),
        "takes the singular values as they are. Variances are their squares.": float(
            singular[:r].sum() / singular.sum()
        ),
        "keeps the directions with the smallest variance.": float((singular[-r:] ** 2).sum() / (singular**2).sum()),
        "gives what is lost, not what is kept.": 1 - kept(x, r),
        "keeps some of the maps as they are. A projection may mix maps.": Either(
            *(float(part[:r].sum() / variances.sum()) for part in (np.sort(variances)[::-1], variances))
        ),
        "gives the variance of the last direction alone. They add up.": float(
            singular[r - 1] ** 2 / (singular**2).sum()
        ),
        "keeps another number of directions than r.": Either(*(kept(x, k) for k in (r - 1, r + 1))),
        "mixes the maps of different images. Move the axis of the maps to the front before reshape.": share(
            apart - apart.mean(axis=1, keepdims=True)
        ),
        "takes the mean of a map in each image alone. It is to be taken over all images.": Either(
            share(_values(x - x.mean(axis=(2, 3), keepdims=True))), float(np.mean(images))
        ),
        "subtracts the mean of the maps at each pixel. Each map has one mean, over all its pixels.": share(
            values - values.mean(axis=0)
        ),
        "divides the maps by their standard deviations. The share is that of the variance as it is.": share(
            centred / np.sqrt(variances)[:, None]
        ),
        "squares twice: the eigenvalues of a covariance are variances already.": float(
            (singular[:r] ** 4).sum() / (singular**4).sum()
        ),
        "is a percentage. The text asks for a number between 0 and 1.": 100 * kept(x, r),
    }


# 12-4: an Inception module, built


def draw_module(rng):
    widths = tuple(int(each) for each in rng.choice(np.arange(2, 12), size=6, replace=False))
    x = rng.normal(size=(int(rng.integers(2, 4)), int(rng.integers(12, 15)), 6, 7)).astype(np.float32)
    return x.shape[1], *widths, x


def _conv(before, after, kernel_size, relu=True, norm_last=False):
    from torch import nn

    conv = nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2, bias=False)
    norm, act = nn.BatchNorm2d(after), nn.ReLU() if relu else nn.Identity()
    return nn.Sequential(conv, *((act, norm) if norm_last else (norm, act)))


def inception(
    before,
    n1x1,
    reduce3,
    n3x3,
    reduce5,
    n5x5,
    pool_proj,
    order=(0, 1, 2, 3),
    inner=True,
    pool="max",
    relu=True,
    norm_last=False,
):
    import torch
    from torch import nn

    pools = {"max": nn.MaxPool2d(3, 1, 1), "average": nn.AvgPool2d(3, 1, 1)}
    first, last = pools.get(pool, nn.Identity()), nn.MaxPool2d(3, 1, 1) if pool == "late" else nn.Identity()

    def conv(before, after, kernel_size, relu=relu):
        return _conv(before, after, kernel_size, relu, norm_last)

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.branches = nn.ModuleList(
                [
                    conv(before, n1x1, 1),
                    nn.Sequential(conv(before, reduce3, 1, inner), conv(reduce3, n3x3, 3)),
                    nn.Sequential(conv(before, reduce5, 1, inner), conv(reduce5, n5x5, 5)),
                    nn.Sequential(first, conv(before, pool_proj, 1), last),
                ]
            )

        def forward(self, x):
            return torch.cat([self.branches[i](x) for i in order], dim=1)

    return Module()


@cache
def wrong_modules(*numbers):
    from torch import nn

    return {
        "has no ReLU behind the reductions.": inception(*numbers, inner=False),
        "has no ReLU at the end of the branches.": inception(*numbers, relu=False),
        "has no ReLU at all.": inception(*numbers, inner=False, relu=False),
        "has the ReLU before the batch norm. It comes behind.": inception(*numbers, norm_last=True),
        "pools behind the 1 × 1 convolution. In the fourth branch the pooling comes first.": inception(
            *numbers, pool="late"
        ),
        "has no pooling in the fourth branch.": inception(*numbers, pool="none"),
        "takes means in the fourth branch. The module takes the maximum.": inception(*numbers, pool="average"),
        "joins the branches in another order than the text says.": Either(
            *(inception(*numbers, order=order) for order in ((3, 2, 1, 0), (1, 2, 3, 0)))
        ),
        "has another layer behind the joined maps. Nothing comes after them.": Either(
            *(nn.Sequential(inception(*numbers), layer) for layer in (nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(2)))
        ),
    }


# 12-5: the bugs of a small network


def draw_classifier(rng):
    channels, width, classes = int(rng.choice([1, 3])), int(rng.choice([4, 6])), int(rng.choice([5, 7]))
    x = rng.normal(size=(int(rng.integers(2, 4)), channels, 7, 7)).astype(np.float32)
    return channels, width, classes, x


def classifier(channels, width, classes, axis=1, shared=False, always=False, order=(0, 1, 2), side_first=False):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.side = _conv(channels, width, 3), nn.Linear(width, classes)
            self.branch1, self.branch3 = _conv(width, width, 1), _conv(width, width, 3)
            if shared:
                self.branch3[1] = self.branch1[1]
            self.fc = nn.Linear(3 * width if axis == 1 else width, classes)

        def forward(self, x):
            x = self.stem(x)
            branches = self.branch1(x), self.branch3(x), F.max_pool2d(x, 3, 1, 1)
            scores = self.fc(torch.cat([branches[i] for i in order], dim=axis).mean(dim=(2, 3)))
            if not (self.training or always):
                return scores
            both = scores, self.side(x.mean(dim=(2, 3)))
            return torch.stack(both[::-1] if side_first else both, dim=1)

    return Classifier()


@cache
def wrong_classifiers(*numbers):
    still = {
        "still puts the branches one below the other. They have to be joined along the axis of the maps.": {"axis": 2},
        "still has one normalization for two branches. Their means and variances differ.": {"shared": True},
        "still gives the scores of the side classifier at test time.": {"always": True},
    }
    networks = {words: classifier(*numbers, **wrong) for words, wrong in still.items()}
    a, b, c = still.values()
    several = Either(*(classifier(*numbers, **wrong) for wrong in (a | b, a | c, b | c, a | b | c)))
    orders = Either(*(classifier(*numbers, order=order) for order in ((2, 1, 0), (2, 0, 1), (1, 0, 2))))
    networks |= {
        "still has more than one of the bugs.": several,
        "gives the scores of the side classifier first. Those of `fc` come first.": classifier(
            *numbers, side_first=True
        ),
        "joins the branches in another order than the text has them.": orders,
    }
    return networks


EXERCISES = {
    "12-1": Exercise(
        points=3,
        draw=draw_cost,
        expected=cost,
        mistakes=wrong_costs,
        otherwise="has a number of maps that is not right yet. Which four layers stand at the ends of the branches?",
        hints=(
            "Write a row for each convolution: maps in, maps out, kernel size. There are six of them.",
            "The 3 × 3 convolution reads reduce3 maps, the 5 × 5 reads reduce5, all others read before.",
            "Maps: n1x1 + n3x3 + n5x5 + pool_proj. A row has in * out * k² weights and out biases, and its weights "
            "are used at size² positions.",
        ),
    ),
    "12-2": Exercise(
        points=2,
        draw=draw_most,
        expected=most,
        mistakes=wrong_most,
        otherwise="is not right yet. Count both forms for this number of maps and for one more.",
        hints=(
            "What does the branch cost at one position, without a reduction, and with one to r maps?",
            "The reduction pays if r * (before + kernel_size² * after) < kernel_size² * before * after.",
            "The largest whole number r with r * a < b is (b - 1) // a.",
        ),
    ),
    "12-3": Exercise(
        points=3,
        draw=draw_kept,
        expected=kept,
        mistakes=wrong_kept,
        otherwise="is not right yet. Compute it for r = the number of maps: all of the variance is kept then.",
        hints=(
            "Make a matrix with a row for each map and a column for each pixel of each image.",
            "Subtract the mean of each row. The covariance of the rows tells which directions vary most.",
            "np.linalg.svd(values, compute_uv=False) gives singular values, the largest first. Their squares are in "
            "proportion to the variances.",
        ),
    ),
    "12-4": Network(
        points=4,
        draw=draw_module,
        expected=inception,
        mistakes=wrong_modules,
        otherwise="has all its parameters, but another output. Follow one branch at a time.",
        hints=(
            "Write a function first that gives a convolution, its batch norm and a ReLU, with the right padding.",
            "Which padding keeps the size for 3 × 3, for 5 × 5, and for the pooling with stride 1?",
            "Branches as nn.Sequential; forward: torch.cat([branch(x) for branch in ...], dim=1).",
        ),
    ),
    "12-5": Network(
        points=4,
        draw=draw_classifier,
        expected=classifier,
        mistakes=wrong_classifiers,
        otherwise="has all its parameters, but another output. Compare forward with the text, line by line.",
        hints=(
            "Print the shape behind torch.cat. Which axis has grown?",
            "How many batch norms are there, and how many are asked for? What do the two branches share?",
            "cat along dim=1, so fc reads 3 * width numbers; a norm for each branch; `if self.training` around stack.",
        ),
    ),
}

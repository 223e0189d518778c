"""The exercises of chapter 10, AlexNet."""

from functools import cache

import numpy as np

from course_utils.arithmetic import conv_multiply_adds, conv_parameters, output_size
from course_utils.exercises.building import Network
from course_utils.exercises.exercise import Either, Exercise

AT_HAND = ()  # of course_utils: what the sandbox of this set has beside the exercises themselves


# 10-1: sizes and costs of a layer with its pooling


def draw_cost(rng):
    groups, kernel_size, stride = int(rng.choice([2, 3, 4])), int(rng.choice([3, 5, 7])), int(rng.integers(2, 4))
    before, maps = (groups * int(rng.integers(2, 30)) for _ in range(2))
    return int(rng.integers(40, 120)), before, maps, kernel_size, stride, int(rng.integers(1, 3)), groups


def cost(size, before, maps, kernel_size, stride, padding, groups):
    side = output_size(size, kernel_size, stride, padding)
    parameters = conv_parameters(before, maps, kernel_size, groups=groups)
    return output_size(side, 3, 2), parameters, conv_multiply_adds(before, maps, kernel_size, side, groups=groups)


def wrong_costs(size, before, maps, kernel_size, stride, padding, groups):
    right = cost(size, before, maps, kernel_size, stride, padding, groups)
    pooled, parameters, multiply_adds = right
    side, weights = output_size(size, kernel_size, stride, padding), parameters - maps
    once = (size + padding - kernel_size) // stride + 1
    rounded_up = -(-(size + 2 * padding - kernel_size) // stride) + 1
    squared = weights // groups
    return {
        "has the size behind the convolution. A pooling comes behind it.": (side, parameters, multiply_adds),
        "has windows of 2 × 2 in the pooling. They are 3 × 3, in steps of 2.": (
            output_size(side, 2, 2),
            parameters,
            multiply_adds,
        ),
        "pads on one side only.": ((once - 3) // 2 + 1, parameters, weights * once**2),
        "rounds up. A window that does not fit is left out.": (
            -(-(rounded_up - 3) // 2) + 1,
            parameters,
            weights * rounded_up**2,
        ),
        "takes no account of the groups: each output map reads only its own share of the maps.": (
            pooled,
            groups * weights + maps,
            groups * multiply_adds,
        ),
        "divides by the groups twice. Each output map reads its share of the maps, and all output maps are there.": (
            pooled,
            squared + maps,
            squared * side**2,
        ),
        "leaves out the biases.": (pooled, weights, multiply_adds),
        "counts multiply-adds of the biases, too.": (pooled, parameters, parameters * side**2),
        "counts the positions behind the pooling. The convolution works at those in front of it.": (
            pooled,
            parameters,
            weights * pooled**2,
        ),
        "counts the pixels of the input as positions. The stride leaves fewer.": (
            pooled,
            parameters,
            weights * size**2,
        ),
        "counts a multiplication and an addition as two. A multiply-add is one.": (
            pooled,
            parameters,
            2 * multiply_adds,
        ),
        "has size and parameters right. Each weight is used once at every output position.": (pooled, parameters, ...),
        "has the size right, but not the parameters.": (pooled, ..., ...),
    }


# 10-2: response normalization


def draw_norm(rng):
    """In one of four, activations at which nothing competes."""
    shape = int(rng.integers(1, 3)), int(rng.integers(6, 9)), int(rng.integers(2, 4)), int(rng.integers(2, 4))
    return (rng.normal(size=shape) * float(rng.choice([1.0, 60.0, 120.0, 300.0])),)


def _around(squares, axis, reach=(2, 2)):
    """The sum of squares over an index and its neighbours along an axis, fewer at the ends."""
    moved = np.moveaxis(squares, axis, 0)
    sums = [moved[max(0, i - reach[0]) : i + reach[1] + 1].sum(axis=0) for i in range(len(moved))]
    return np.moveaxis(np.stack(sums), 0, axis)


def norm(x):
    return x / (2 + 1e-4 * _around(x**2, 1)) ** 0.75


def wrong_norms(x):
    total = _around(x**2, 1)
    padded = np.concatenate([(x**2)[:, -2:], x**2, (x**2)[:, :2]], axis=1)
    wrapped = sum(padded[:, k : k + x.shape[1]] for k in range(5))
    space = _around(_around(x**2, 2), 3)
    counts = _around(np.ones_like(x), 1)
    below = np.stack([(x[:, i - 2 : i + 3] ** 2).sum(axis=1) for i in range(x.shape[1])], axis=1)
    running = x.copy()
    for i in range(x.shape[1]):
        running[:, i] /= (2 + 1e-4 * (running[:, max(0, i - 2) : i + 3] ** 2).sum(axis=1)) ** 0.75
    return {
        "sums over neighbouring pixels. The neighbours are maps, at the same pixel.": Either(
            x / (2 + 1e-4 * space) ** 0.75,
            *(x / (2 + 1e-4 * _around(x**2, axis)) ** 0.75 for axis in (2, 3)),
        ),
        "sums over neighbouring images. The neighbours are maps, the second axis.": x
        / (2 + 1e-4 * _around(x**2, 0)) ** 0.75,
        "sums over all maps. There are at most five of them.": x
        / (2 + 1e-4 * (x**2).sum(axis=1, keepdims=True)) ** 0.75,
        "sums over too few or too many maps: two on either side, and the map itself.": Either(
            *(
                x / (2 + 1e-4 * _around(x**2, 1, reach)) ** 0.75
                for reach in ((1, 1), (2, 1), (1, 2), (5, 5), (4, 4), (3, 3), (0, 4), (4, 0))
            ),
            x / (2 + 1e-4 * x**2) ** 0.75,
        ),
        "leaves out the map itself. It is one of the five.": x / (2 + 1e-4 * (total - x**2)) ** 0.75,
        "joins the last maps with the first ones. At the ends there are fewer neighbours.": x
        / (2 + 1e-4 * wrapped) ** 0.75,
        "has slices that begin below 0 for the first maps. Python counts those from the end; begin at max(0, i - 2).": x
        / (2 + 1e-4 * below) ** 0.75,
        "reads maps that it has divided already. The sum is over the values of x.": running,
        "divides the sum by five, or by the number of maps. The paper takes the sum itself.": Either(
            *(x / (2 + 1e-4 * total / count) ** 0.75 for count in (5, counts))
        ),
        "sums the activations, not their squares.": x / np.abs(2 + 1e-4 * _around(np.abs(x), 1)) ** 0.75,
        "has 1 in place of the 2.": x / (1 + 1e-4 * total) ** 0.75,
        "takes the root, not the power of 0.75.": x / (2 + 1e-4 * total) ** 0.5,
        "has no power: it divides by the sum as it is.": x / (2 + 1e-4 * total),
        "multiplies where the formula divides.": x * (2 + 1e-4 * total) ** 0.75,
        "raises the whole quotient to the power. Only the denominator has it.": np.sign(x)
        * np.abs(x / (2 + 1e-4 * total)) ** 0.75,
        "gives the denominator alone.": (2 + 1e-4 * total) ** 0.75,
    }


# 10-3: the colours of an image, moved


def draw_colours(rng):
    mixing = rng.normal(size=(3, 3)) * np.array([0.3, 0.1, 0.03])
    pixels = mixing @ rng.normal(size=(3, 48)) + rng.uniform(0.3, 0.7, size=(3, 1))
    return pixels.reshape(3, 6, 8), rng.normal(size=3)


def _components(image):
    """Variances, the largest first, and their directions as columns, each with a positive sum."""
    variances, vectors = np.linalg.eigh(np.cov(image.reshape(3, -1)))
    vectors = vectors * np.where(vectors.sum(axis=0) < 0, -1, 1)
    return variances[::-1], vectors[:, ::-1]


def colours(image, alphas):
    variances, vectors = _components(image)
    return image + (vectors @ (alphas * variances))[:, None, None]


def wrong_colours(image, alphas):
    variances, vectors = _components(image)
    pixels = image.reshape(3, -1)

    def shifted(shift):
        return image + shift[:, None, None]

    def along(covariance):
        """The image moved along the components of another matrix."""
        lengths, columns = np.linalg.eigh(covariance)
        columns = columns * np.where(columns.sum(axis=0) < 0, -1, 1)
        return shifted(columns[:, ::-1] @ (alphas * lengths[::-1]))

    signs = [vectors * np.array(s) for s in ((-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, 1))]
    right = shifted(vectors @ (alphas * variances))
    return {
        "has the eigenvectors in rows. `eigh` gives them in columns.": shifted(vectors.T @ (alphas * variances)),
        "has the smallest variance first. The text has the largest first.": shifted(
            vectors[:, ::-1] @ (alphas * variances[::-1])
        ),
        "takes the root of the eigenvalues. The formula has them as they are.": shifted(
            vectors @ (alphas * np.sqrt(variances))
        ),
        "turns round the eigenvalues, or the eigenvectors, but not both.": Either(
            shifted(vectors @ (alphas * variances[::-1])), shifted(vectors[:, ::-1] @ (alphas * variances))
        ),
        "takes singular values for eigenvalues. Those are their squares, over the number of pixels less one.": Either(
            shifted(vectors @ (alphas * np.sqrt(variances * (pixels.shape[1] - 1)))),
            shifted(vectors @ (alphas * variances * (pixels.shape[1] - 1))),
        ),
        "has correlations in place of covariances.": along(np.corrcoef(pixels)),
        "mixes colours and pixels in its matrix. The image is 3 × H × W, so its rows are image.reshape(3, -1).": along(
            np.cov(image.reshape(-1, 3).T)
        ),
        "cuts the result at 0 or 1.": np.clip(right, 0, 1),
        "scales the alphas. They are given as they are to be used.": shifted(0.1 * vectors @ (alphas * variances)),
        "leaves out the eigenvalues.": shifted(vectors @ alphas),
        "moves red, green and blue by the numbers themselves, not along the components.": Either(
            shifted(alphas * variances), shifted(alphas), shifted(alphas * np.var(pixels, axis=1, ddof=1))
        ),
        "does not subtract the mean of each colour in the covariance.": along(pixels @ pixels.T / pixels.shape[1]),
        "has another sign: of the two directions, take the one whose three numbers have a positive sum.": Either(
            *(shifted(each @ (alphas * variances)) for each in signs)
        ),
        "divides by the number of pixels. np.cov divides by one less.": shifted(
            vectors @ (alphas * variances) * (1 - 1 / pixels.shape[1])
        ),
        "subtracts the shift.": shifted(-vectors @ (alphas * variances)),
        "gives the shift alone. Add it to every pixel.": np.broadcast_to(
            (vectors @ (alphas * variances))[:, None, None], image.shape
        ).copy(),
    }


# 10-4: a small AlexNet, built


def draw_network(rng):
    channels, width, classes = int(rng.choice([1, 3])), 2 * int(rng.integers(2, 4)), int(rng.integers(3, 6))
    x = rng.normal(size=(int(rng.integers(2, 4)), channels, 17, 17)).astype(np.float32)
    return channels, width, classes, 60 * x


PAPER = {"alpha": 5e-4, "beta": 0.75, "k": 2.0}  # torch divides alpha by the number of maps


def network(channels, width, classes, groups=2, pool=3, lrn=(PAPER, PAPER), last=True, relus=True, norm_first=False):
    from torch import nn

    def behind(numbers):
        layers: list[nn.Module] = [nn.ReLU() if relus else nn.Identity()]
        if numbers:
            layers.insert(0 if norm_first else 1, nn.LocalResponseNorm(5, **numbers))
        return layers

    pools = {3: lambda: nn.MaxPool2d(3, 2), 2: lambda: nn.MaxPool2d(2), "mean": lambda: nn.AvgPool2d(3, 2)}
    make = pools[pool]
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, stride=2),  # 7 x 7
        *behind(lrn[0]),
        make(),  # 3 x 3
        nn.Conv2d(width, 2 * width, 3, padding=1, groups=groups),
        *behind(lrn[1]),
        make(),  # 1 x 1
        nn.Flatten(),
        nn.Linear(2 * width, 4 * width),
        nn.ReLU() if last else nn.Identity(),
        nn.Linear(4 * width, classes),
    )


@cache
def wrong_networks(*numbers):
    from torch import nn

    def but(**changes):
        return network(*numbers, **changes)

    return {
        "pools means. The text asks for the maximum.": but(pool="mean"),
        "pools windows of 2 × 2. They are 3 × 3, in steps of 2.": but(pool=2),
        "has response normalization behind one of the convolutions only.": Either(
            but(lrn=(PAPER, None)), but(lrn=(None, PAPER))
        ),
        "has no response normalization, or one with other numbers. Compare PyTorch's formula with 10-2.": Either(
            *(but(lrn=(other, other)) for other in (None, {"k": 1.0}, PAPER | {"alpha": 1e-4}, PAPER | {"k": 1.0}))
        ),
        "normalizes in front of the ReLU. It comes behind.": but(norm_first=True),
        "has no ReLU behind the convolutions.": but(relus=False),
        "has no ReLU between the two linear layers.": but(last=False),
        "has another layer behind the scores. Nothing comes after them.": Either(
            *(nn.Sequential(but(), layer) for layer in (nn.ReLU(), nn.Softmax(1), nn.LogSoftmax(1)))
        ),
    }


# 10-5: the bugs of a colleague's network


def draw_bugs(rng):
    channels, width, classes = 2 * int(rng.integers(1, 4)), int(rng.integers(3, 6)), int(rng.integers(3, 7))
    x = rng.normal(size=(int(rng.integers(2, 4)), channels, 7, 7)).astype(np.float32)
    return channels, width, classes, 60 * x


def halves(channels, width, classes, space=False, crossed=False, apart=False, relu=True, joined=True):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left = nn.Conv2d(channels // 2, width, 3, padding=1)
            self.right = nn.Conv2d(channels // 2, width, 3, padding=1)
            self.fc = nn.Linear(2 * width, classes)

        def forward(self, x):
            first, second = x.chunk(2, dim=1)
            both = [self.left(first), self.right(first if crossed else second)]
            x = torch.cat(both if joined else both[::-1], dim=1)
            x = x.relu() if relu else x
            if space:
                total = 25 * F.avg_pool2d(x.square(), 5, stride=1, padding=2)
            else:
                padded = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
                total = sum(padded[:, k : k + x.shape[1]] for k in range(5))
            x = x / (2 + 1e-4 * total) ** 0.75
            x = F.max_pool2d(x, 2) if apart else F.max_pool2d(x, 3, stride=2)
            return self.fc(x.mean(dim=(2, 3)))

    return Net()


@cache
def wrong_halves(*numbers):
    still = {
        "still normalizes over neighbouring pixels. The neighbours are maps.": {"space": True},
        "still gives the same half of the maps to both convolutions.": {"crossed": True},
        "still pools windows that do not overlap.": {"apart": True},
        "has no ReLU in front of the normalization.": {"relu": False},
        "joins the two halves the other way round: `left` comes first.": {"joined": False},
    }
    networks = {words: halves(*numbers, **wrong) for words, wrong in still.items()}
    a, b, c, *_ = still.values()
    several = Either(*(halves(*numbers, **wrong) for wrong in (a | b, a | c, b | c, a | b | c)))
    return networks | {"still has more than one of the bugs.": several}


EXERCISES = {
    "10-1": Exercise(
        points=3,
        draw=draw_cost,
        expected=cost,
        mistakes=wrong_costs,
        otherwise="has a size that is not right yet. Apply the formula of chapter 06 twice.",
        hints=(
            "Two layers, so two sizes: what is behind the convolution is what the pooling reads.",
            "Each output map reads before / groups maps. How many weights does it have then, and how many biases?",
            "side = (size + 2 * padding - kernel_size) // stride + 1; weights = maps * (before // groups) * "
            "kernel_size**2; multiply-adds = weights * side**2.",
        ),
    ),
    "10-2": Exercise(
        points=3,
        draw=draw_norm,
        expected=norm,
        mistakes=wrong_norms,
        otherwise="is not right yet. Try one pixel with six maps, and compute the middle ones by hand.",
        hints=(
            "The sum runs over maps, at one image and one pixel.",
            "For map i the neighbours are x[:, max(0, i - 2) : i + 3].",
            "Pad the squares with two maps of zeros on either side, and add five slices of them.",
        ),
    ),
    "10-3": Exercise(
        points=3,
        draw=draw_colours,
        expected=colours,
        mistakes=wrong_colours,
        otherwise="is not right yet. With alphas of zero, nothing may change; then try one of them at a time.",
        hints=(
            "Make a matrix of the image first: three rows, a column for each pixel.",
            "np.cov of it is 3 x 3. np.linalg.eigh gives its eigenvalues, the smallest first, and vectors in columns.",
            "Turn both round with [::-1] and [:, ::-1], turn vectors with a negative sum, then add "
            "vectors @ (alphas * variances) to every pixel.",
        ),
    ),
    "10-4": Network(
        points=4,
        draw=draw_network,
        expected=network,
        mistakes=wrong_networks,
        otherwise="has all its parameters, but another output. Compare each layer, its numbers and its place.",
        hints=(
            "nn.Sequential takes the layers in the order of the text. Print the shape behind each of them.",
            "nn.LocalResponseNorm divides alpha by the number of maps. Which alpha gives the paper's formula?",
            "nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0); the linear layer reads 2 * width numbers.",
        ),
    ),
    "10-5": Network(
        points=4,
        draw=draw_bugs,
        expected=halves,
        mistakes=wrong_halves,
        otherwise="has all its parameters, but another output. Compare forward with the text, line by line.",
        hints=(
            "None of the bugs shows in a shape. Follow the axes: which one does each line work on?",
            "What does the second convolution read? Over which axis are squares summed?",
            "The second half for `right`; the sum over dim=1; max_pool2d(x, 3, stride=2).",
        ),
    ),
}

"""Explorer of initialization: a stack of random layers between dying and exploding."""

from functools import lru_cache

import ipywidgets as widgets
import numpy as np

from course_utils import scratch
from course_utils.figures.initialization import edge

# name -> (function, derivative)
FUNCTIONS = {
    "linear": (lambda a: a, np.ones_like),
    "tanh": (scratch.tanh, scratch.tanh_grad),
    "LeCun's tanh": (scratch.lecun_tanh, scratch.lecun_tanh_grad),
    "sigmoid": (scratch.sigmoid, scratch.sigmoid_grad),
    "ReLU": (scratch.relu, scratch.relu_grad),
    "leaky ReLU": (scratch.leaky_relu, scratch.leaky_relu_grad),
    "ELU": (scratch.elu, scratch.elu_grad),
}
# name -> (rule, n times the variance of its weights where n_in = n_out = n)
RULES = {
    "Torch's old rule, 1/(3n)": (scratch.torch_heuristic, 1 / 3),
    "LeCun, Glorot, 1/n": (scratch.glorot_normal, 1.0),
    "He, 2/n": (scratch.he_normal, 2.0),
}
DEPTHS, WIDTHS = (2, 50), (10, 20, 50, 100, 200)
MAP = np.logspace(-3, 3, 61)

Z = np.linspace(-8, 8, 1001)
GAUSS = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()  # a sum over Z with these weights is a mean under N(0, 1)


def signals(name, weights, x, dy):
    """Mean square, layer by layer, of the outputs y of a stack y = g(W y), and of the gradients by its activations W y.

    name: of FUNCTIONS; weights: arrays n_out x n_in; x: N x n_in; dy: gradient by the last output, N x n_out.
    """
    g, derivative = FUNCTIONS[name]
    y, activations, forward, backward = x, [], [], []
    for weight in weights:
        activations.append(y @ weight.T)
        y = g(activations[-1])
        forward.append(np.mean(y**2))
    for weight, a in zip(weights[::-1], activations[::-1], strict=True):
        da = dy * derivative(a)
        backward.append(np.mean(da**2))
        dy = da @ weight
    return np.array(forward), np.array(backward[::-1])


def next_mean_square(name, q, c2):
    """Mean square of g(a) for a ~ N(0, c2 * q): of a layer's output, if q is that of its input and c2 is n Var(W)."""
    a = np.sqrt(c2 * np.asarray(q, float))[..., None] * Z
    return FUNCTIONS[name][0](a) ** 2 @ GAUSS


@lru_cache(maxsize=4)
def draws(rule, width):
    """Inputs and gradients of the last output (32 x width), and the weights of the deepest stack, drawn by a rule."""
    rng, (draw, _) = np.random.default_rng(0), RULES[rule]
    x, dy = rng.normal(size=(2, 32, width))
    return x, dy, [draw((width, width), rng) for _ in range(DEPTHS[1])]


def draw_edge(name, rule, gain, depth=30, width=100):
    """SVG: mean squares by layer, measured on random layers drawn by `rule` times `gain`; beside it their map.

    Raises ValueError for a name not in FUNCTIONS or a rule not in RULES.
    """
    if name not in FUNCTIONS or rule not in RULES:
        raise ValueError(
            f"nonlinearity {name!r} with rule {rule!r}; there are {', '.join(FUNCTIONS)}, and {'; '.join(RULES)}"
        )
    x, dy, weights = draws(rule, width)
    forward, backward = signals(name, [gain * weight for weight in weights[:depth]], x, dy)
    c2 = gain**2 * RULES[rule][1]
    path = [1.0]
    for _ in range(depth):
        path.append(float(next_mean_square(name, path[-1], c2)))
    return edge(forward, backward, MAP, next_mean_square(name, MAP, c2), path, c2)


def explore_edge(name="ReLU", rule="He, 2/n", gain=1.0):
    """Choices of nonlinearity, rule and width; sliders for the gain and the depth of a stack of random layers."""
    wide = {"layout": widgets.Layout(width="500px"), "style": {"description_width": "110px"}}
    box = widgets.VBox()
    box.function = widgets.Dropdown(options=list(FUNCTIONS), value=name, description="nonlinearity", **wide)
    box.rule = widgets.Dropdown(options=list(RULES), value=rule, description="rule", **wide)
    box.width = widgets.Dropdown(options=list(WIDTHS), value=100, description="units a layer", **wide)
    box.depth = widgets.IntSlider(30, min=DEPTHS[0], max=DEPTHS[1], description="layers", **wide)
    box.gain = widgets.FloatSlider(gain, min=0.5, max=2, step=0.01, description="weights times", **wide)
    box.picture = widgets.HTML()

    def draw(change=None):
        box.picture.value = draw_edge(
            box.function.value, box.rule.value, box.gain.value, box.depth.value, box.width.value
        )

    controls = [box.function, box.rule, box.width, box.depth, box.gain]
    for control in controls:
        control.observe(draw, "value")
    draw()
    box.children = [*controls, box.picture]
    return box

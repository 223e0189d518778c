"""Thirty layers of 64 units without biases, trained on digits: chapter 01.

Each nonlinearity at a scale of the weights, the weights having the standard deviation scale / sqrt(64), and at several
learning rates; plain gradient descent on batches of 32. Rates are compared on validation images, as are the stacks.
"""

import torch
from torch.nn import functional as F

from course_utils import datasets
from course_utils.authors.experiments.sweeps import best_of

WHAT = (
    "30 layers of 64 units on the digits' 8 x 8 pixels: validation accuracy of five seeds at six learning rates, "
    "after 150 and after 450 steps of gradient descent; the best rate is the one with the highest mean"
)
LAYERS, WIDTH, BATCH = 30, 64, 32
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
STEPS = (150, 450)
SEEDS = 5


def without_its_mean(a):
    """ReLU less the mean of its outputs over the images and the units of a network; a: networks x images x units."""
    y = torch.relu(a)
    return y - y.mean((1, 2), keepdim=True)


STACKS = {  # a nonlinearity and its scale: the one that keeps the gradient, or 1
    "sigmoid at 1/√n": (torch.sigmoid, 1.0),
    "ReLU at 1/√n": (torch.relu, 1.0),
    "sigmoid": (torch.sigmoid, 10.30),
    "tanh": (torch.tanh, 1.24),
    "ReLU": (torch.relu, 2**0.5),
    "ELU": (F.elu, 1.21),
    "tanh + 0.4": (lambda a: torch.tanh(a) + 0.4, 1.68),
    "ReLU − its mean": (without_its_mean, 2**0.5),
}


def pixels(data, split):
    """The 8 x 8 pixels of each image, from 0 to 16, and the labels."""
    dataset = datasets.load(data, split)
    return dataset.images[:, 0, ::4, ::4].flatten(1).mul(16 / 255).round(), dataset.labels


def output(x, weights, g):
    """Scores of all networks: networks x images x classes."""
    for weight in weights[:-1]:
        x = g(x @ weight)
    return x @ weights[-1]


def accuracies(stack, data):
    """Validation accuracy, {steps: {rate: [a value for each seed]}}. All networks are trained at once."""
    (x, labels), (validation, answers) = pixels(data, "train"), pixels(data, "validation")
    center, spread = x.mean(0), (x - x.mean(0)).std()
    x, validation = (x - center) / spread, (validation - center) / spread
    g, scale = STACKS[stack]
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(SEEDS, WIDTH, WIDTH, generator=generator) * scale / WIDTH**0.5 for _ in range(LAYERS)]
    weights.append(torch.randn(SEEDS, WIDTH, 10, generator=generator) / WIDTH**0.5)
    weights = [weight.repeat(len(RATES), 1, 1).requires_grad_() for weight in weights]
    rates, found = torch.tensor(RATES).repeat_interleave(SEEDS)[:, None, None], {}
    generator = torch.Generator().manual_seed(1)
    for step in range(1, max(STEPS) + 1):
        chosen = torch.randint(len(x), (BATCH,), generator=generator)
        log_p = F.log_softmax(output(x[chosen], weights, g), dim=2)
        loss = -log_p[:, torch.arange(BATCH), labels[chosen]].mean(1).sum()  # no weight occurs in two networks
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.data -= rates * gradient
        if step in STEPS:
            with torch.no_grad():
                right = (output(validation, weights, g).argmax(2) == answers).double().mean(1)
            by_rate = zip(RATES, right.view(-1, SEEDS).tolist(), strict=True)
            found[str(step)] = {f"{rate:g}": [round(value, 4) for value in values] for rate, values in by_rate}
    return found


def experiment(data, pieces):
    """The fields of the record: for each stack its accuracies, and its best rate after so many steps."""
    pieces.expect(len(STACKS))
    rows = []
    for name, (_, scale) in STACKS.items():
        found = pieces.once(name, accuracies, name, data)
        best = {steps: float(best_of(by_rate)) for steps, by_rate in found.items()}
        rows.append({"stack": name, "scale": scale, "learning_rate": best, "validation_accuracy": found})
    return {"layers": LAYERS, "width": WIDTH, "batch_size": BATCH, "seeds": SEEDS, "rows": rows}

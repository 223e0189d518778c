"""Figure 1 of Ioffe & Szegedy (2015), repeated on MNIST: chapter 03, section 1.

Three layers of 100 sigmoids, batches of 60, 50,000 steps of gradient descent: without batch norm, without it and with
weights four times as large, with it. Once all at the same small learning rate, once each at the best of thirteen,
which are compared after 2,000 steps on validation data. The test split is only drawn; nothing is chosen by it.
"""

from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import trange

from course_utils import datasets
from course_utils.authors.experiments.sweeps import best_of

WHAT = (
    "after Ioffe & Szegedy 2015, figure 1: three layers of 100 sigmoids; test accuracy of three seeds, and the 15th, "
    "50th and 85th percentile over the test images of what enters the first unit of the last hidden layer (seed 0)"
)
NETWORKS = {  # batch norm or not, and the standard deviation of the initial weights
    "plain": (False, 0.1),
    "plain × 4": (False, 0.4),
    "batch norm": (True, 0.1),
}
SEEDS = (0, 1, 2)
RATES = tuple(2.0**k for k in range(-6, 7))
SAME = 1 / 8  # the rate at which all three are compared
SWEEP_STEPS, STEPS, MARKS = 2_000, 50_000, 70
BATCH, EPS, MOMENTUM = 60, 1e-5, 0.1


# ---- Many networks in one: a weight is runs x inputs x outputs, and run k starts from seed k % 3


def network(pixels, runs, deviation):
    """Weight, gamma and beta of four layers for `runs` networks; without batch norm beta is the bias."""
    generator, net = torch.Generator().manual_seed(0), []
    for inputs, outputs in pairwise([pixels, 100, 100, 100, 10]):
        weight = torch.randn(len(SEEDS), inputs, outputs, generator=generator).repeat(runs // len(SEEDS), 1, 1)
        layer = [deviation * weight, torch.ones(runs, 1, outputs), torch.zeros(runs, 1, outputs)]
        net.append([values.requires_grad_() for values in layer])
    return net


def forward(net, x, norm, fixed=None):
    """Scores, what enters the last sigmoids, and the statistics used: those of the batch, or `fixed` at test time."""
    used = []
    for k, (weight, gamma, beta) in enumerate(net[:-1]):
        a = x @ weight
        if norm:
            center = fixed[k][0] if fixed else a.mean(1, keepdim=True)
            a = a - center
            var = fixed[k][1] if fixed else a.square().mean(1, keepdim=True)
            used.append((center.detach(), var.detach()))
            a = gamma / (var + EPS).sqrt() * a
        a = a + beta
        x = torch.sigmoid(a)
    weight, _, beta = net[-1]
    return x @ weight + beta, a, used


@torch.no_grad()
def accuracy(net, images, labels, norm, running):
    """The share of right answers of each run."""
    return (forward(net, images, norm, running)[0].argmax(2) == labels).double().mean(1)


def fit(net, images, labels, rate, steps, norm, name, marks=(), watch=None):
    """Gradient descent at one rate, or at one for each run. Returns the running averages of the batch statistics.

    The seeds see batches of their own, the same at every setting. The losses of the runs are added up: no run's weights
    occur in another one's loss, so each gets the gradient that it would get alone.
    """
    parameters = [values for layer in net for values in layer]
    generator, runs = torch.Generator().manual_seed(1), len(net[0][0])
    running = [(torch.zeros_like(beta), torch.ones_like(beta)) for _, _, beta in net[:-1]]
    for step in trange(1, steps + 1, desc=name, unit=" steps", leave=False):
        chosen = torch.randint(len(images), (len(SEEDS), BATCH), generator=generator).repeat(runs // len(SEEDS), 1)
        scores, _, used = forward(net, images[chosen], norm)
        losses = F.cross_entropy(scores.flatten(0, 1), labels[chosen].flatten(), reduction="none")
        gradients = torch.autograd.grad(losses.sum() / BATCH, parameters, materialize_grads=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate * gradient
            for (center, var), (batch_center, batch_var) in zip(running, used, strict=norm):
                center += MOMENTUM * (batch_center - center)
                var += MOMENTUM * (batch_var * BATCH / (BATCH - 1) - var)
        if step in marks:
            watch(running)
    return running


# ---- The experiment


def flat(data, split):
    """Images as rows of pixels from 0 to 1, and labels."""
    dataset = datasets.load(data, split)
    return dataset.images[:, 0].flatten(1) / 255, dataset.labels


def sweep(name, train, validation):
    """The validation accuracy of each seed at each rate, all in one tensor: {rate: [...]}."""
    norm, deviation = NETWORKS[name]
    rates = torch.tensor(RATES).repeat_interleave(len(SEEDS)).view(-1, 1, 1)
    net = network(train[0].shape[1], len(rates), deviation)
    running = fit(net, *train, rates, SWEEP_STEPS, norm, f"{name}, all rates")
    reached = accuracy(net, *validation, norm, running).view(-1, len(SEEDS))
    return {f"{rate:g}": digits(values, 4) for rate, values in zip(RATES, reached, strict=True)}


def long_run(name, rate, marks, train, validation, test):
    """What the figure draws at each mark, and the validation accuracy at the end."""
    norm, deviation = NETWORKS[name]
    net, curves, quantiles = network(train[0].shape[1], len(SEEDS), deviation), [], []

    @torch.no_grad()
    def watch(running):
        scores, entering, _ = forward(net, test[0], norm, running)
        curves.append((scores.argmax(2) == test[1]).double().mean(1))
        quantiles.append(torch.quantile(entering[0, :, 0], torch.tensor([0.15, 0.5, 0.85])))

    running = fit(net, *train, rate, marks[-1], norm, f"{name}, rate {rate:g}", set(marks), watch)
    return {
        "test_accuracy": [digits(curve, 4) for curve in torch.stack(curves, dim=1)],
        "quantiles": [digits(three, 3) for three in quantiles],
        "validation_accuracy": digits(accuracy(net, *validation, norm, running), 4),
    }


def digits(values, places):
    return [round(float(value), places) for value in values]


def experiment(data, pieces):
    """The fields of the record: the sweep, the marks, and two runs of each network."""
    train, validation, test = (flat(data, split) for split in ("train", "validation", "test"))
    marks = sorted(set(np.geomspace(min(10, STEPS), STEPS, MARKS).round().astype(int).tolist()))
    pieces.expect(3 * len(NETWORKS))
    swept = {name: pieces.once(f"{name}: sweep", sweep, name, train, validation) for name in NETWORKS}
    best = {name: float(best_of(by_rate)) for name, by_rate in swept.items()}
    rows = []
    for kind, rates in (("the best of the sweep", best), ("the same", dict.fromkeys(NETWORKS, SAME))):
        for name, (_, deviation) in NETWORKS.items():
            row = {"network": name, "rate": kind, "initial_deviation": deviation, "learning_rate": rates[name]}
            arguments = (name, rates[name], marks, train, validation, test)
            rows.append(row | pieces.once(f"{name}: rate {rates[name]:g}", long_run, *arguments))
    return {
        "batch_size": BATCH,
        "seeds": SEEDS,
        "sweep": {"steps": SWEEP_STEPS, "validation_accuracy": swept},
        "steps": marks,
        "rows": rows,
    }

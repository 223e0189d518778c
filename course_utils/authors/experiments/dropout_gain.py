"""What dropout buys on 500 images, with labels as they are and with a fifth of them drawn anew: chapter 04, section 8.

Each row has the learning rate that is best for it on validation images, out of five, at each of two budgets; its test
accuracy is that of the same networks. A seed has the same images, labels and initial weights in all rows.
"""

from itertools import pairwise

import torch
from torch.nn import functional as F

from course_utils import datasets
from course_utils.authors.experiments.sweeps import best_of

WHAT = (
    "dropout in a network 784-128-128-10 trained on 500 images: test accuracy of three seeds at the learning rate that "
    "is best on validation images, after 400 and after 1,200 steps, with true labels and with a fifth of them drawn "
    "anew"
)
IMAGES, WIDTH, BATCH, MOMENTUM, SEEDS = 500, 128, 50, 0.9, 3
RATES = (0.001, 0.003, 0.01, 0.03, 0.1)  # at the start; they fall to 0 in a straight line
STEPS = (400, 1200)
REDRAWN = {"true": 0.0, "a fifth redrawn": 0.2}
ROWS = [(labels, p, "example") for labels in REDRAWN for p in (0.0, 0.2, 0.5, 0.7)]
ROWS.append(("a fifth redrawn", 0.5, "minibatch"))  # one mask for all images of a minibatch


def pixels(dataset):
    """The pixels of all images, with the mean and the standard deviation of the training images taken out."""
    return (dataset.images.flatten(1) / 255 - dataset.mean[0]) / dataset.std[0]


def draw(train, labels):
    """Images and labels of each seed: seeds x images x pixels, seeds x images."""
    generator = torch.Generator().manual_seed(0)
    chosen = torch.stack([torch.randperm(len(train), generator=generator)[:IMAGES] for _ in range(SEEDS)])
    y = train.labels[chosen]
    again = torch.rand(y.shape, generator=generator) < REDRAWN[labels]
    return pixels(train)[chosen], torch.where(again, torch.randint(10, y.shape, generator=generator), y)


def network(copies):
    """Weights after He et al. and biases of 0 for copies x SEEDS networks, each seed the same in every copy."""
    generator, parameters = torch.Generator().manual_seed(1), []
    for n_in, n_out in pairwise([28 * 28, WIDTH, WIDTH, 10]):
        weight = torch.randn(SEEDS, n_in, n_out, generator=generator) * (2 / n_in) ** 0.5
        parameters += [weight.repeat(copies, 1, 1), torch.zeros(copies * SEEDS, 1, n_out)]
    return [parameter.requires_grad_() for parameter in parameters]


def scores(parameters, x, drop=lambda h: h):
    """Of all networks: networks x images x classes; `drop` acts on both hidden layers."""
    (first, b1, second, b2, third, b3), h = parameters, x.expand(len(parameters[0]), -1, -1)
    h = drop(torch.baddbmm(b1, h, first).relu())
    h = drop(torch.baddbmm(b2, h, second).relu())
    return torch.baddbmm(b3, h, third)


def fit(x, y, p, masks, steps):
    """The trained parameters at all rates, one after the other, each with all seeds."""
    parameters, generator = network(len(RATES)), torch.Generator().manual_seed(2)
    speeds = [torch.zeros_like(parameter) for parameter in parameters]
    rates = torch.tensor(RATES).repeat_interleave(SEEDS)[:, None, None]
    x, y = x.repeat(len(RATES), 1, 1), y.repeat(len(RATES), 1)

    def drop(h):
        rows = h.shape[1] if masks == "example" else 1
        return h * (torch.rand(len(h), rows, h.shape[2], generator=generator) >= p) / (1 - p)

    epochs = -(-steps * BATCH // IMAGES)
    order = torch.cat([torch.randperm(IMAGES, generator=generator) for _ in range(epochs)])
    for step, chosen in enumerate(order[: steps * BATCH].split(BATCH)):
        z = scores(parameters, x[:, chosen], drop)
        losses = F.cross_entropy(z.transpose(1, 2), y[:, chosen], reduction="none")
        gradients = torch.autograd.grad(losses.mean(1).sum(), parameters)  # no weight occurs in two networks
        with torch.no_grad():
            for parameter, speed, gradient in zip(parameters, speeds, gradients, strict=True):
                parameter -= rates * (1 - step / steps) * speed.mul_(MOMENTUM).add_(gradient)
    return parameters


def outcome(labels, p, masks, steps, data):
    """Accuracies at all rates, each {rate: [a value for each seed]}: on what was trained, for validation, for test."""
    train, validation, test = (datasets.load(data, split) for split in ("train", "validation", "test"))
    x, y = draw(train, labels)
    parameters, found = fit(x, y, p, masks, steps), {}
    sets = {"train": (x.repeat(len(RATES), 1, 1), y.repeat(len(RATES), 1))}
    sets |= {"validation": (pixels(validation), validation.labels), "test": (pixels(test), test.labels)}
    for name, (images, answers) in sets.items():
        with torch.no_grad():
            right = (scores(parameters, images).argmax(2) == answers).double().mean(1).view(-1, SEEDS).tolist()
        found[name] = {f"{rate:g}": [round(v, 4) for v in row] for rate, row in zip(RATES, right, strict=True)}
    return found


def experiment(data, pieces):
    """The fields of the record: a row for each budget, kind of labels, p and kind of masks."""
    pieces.expect(len(STEPS) * len(ROWS))
    rows = []
    for steps in STEPS:
        for labels, p, masks in ROWS:
            name = f"{steps} steps, labels {labels}, p {p:g}, a mask for each {masks}"
            found = pieces.once(name, outcome, labels, p, masks, steps, data)
            best = best_of(found["validation"])
            row = {"steps": steps, "labels": labels, "p": p, "mask_for_each": masks, "learning_rate": float(best)}
            chosen = {f"{split}_accuracy": found[split][best] for split in ("train", "test")}
            rows.append(row | chosen | {"sweep": found["validation"]})
    return {"images": IMAGES, "width": WIDTH, "batch_size": BATCH, "momentum": MOMENTUM, "seeds": SEEDS, "rows": rows}

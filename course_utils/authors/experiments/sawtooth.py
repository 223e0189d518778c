"""A sawtooth of many teeth, approached by training networks of one and of several hidden layers: chapter 05.

Each row has the rate that is best for it out of three, by the median error of twelve runs from other seeds, at each of
two budgets; then twelve runs at that rate. The function is known everywhere, so the error is measured, not estimated.
"""

from functools import partial
from itertools import pairwise, product
from statistics import median

import torch

from course_utils.authors.experiments.sweeps import sweep

WHAT = (
    "ReLU networks trained on a sawtooth of 8 straight pieces on [0, 1], the tent map put into itself three times: "
    "root mean squared error of twelve runs at the best rate of the sweep"
)
FOLDS = 3  # so 2 ** FOLDS straight pieces
RUNS, SEED, SWEEP_SEED = 12, 0, 100
RATES = (0.003, 0.01, 0.03)
BUDGETS = (2000, 6000)  # steps
POINTS = 129
NETWORKS = {  # widths of the hidden layers, and the noise on the exact weights that training begins from, if it does
    "deep, 3 layers of 2": ([2, 2, 2], None),
    "deep, 3 layers of 8": ([8, 8, 8], None),
    "shallow, 8 units": ([8], None),
    "shallow, 56 units": ([56], None),
    "deep, 3 layers of 2, begun near the exact weights": ([2, 2, 2], 0.03),
}


def sawtooth(x: torch.Tensor, folds: int) -> torch.Tensor:
    """The tent map put into itself: two ReLU units a fold. On [0, 1] it has 2 ** folds straight pieces."""
    for _ in range(folds):
        x = 2 * torch.relu(x) - 4 * torch.relu(x - 0.5)
    return x


def exact(folds: int) -> list[torch.Tensor]:
    """Weight and bias of each layer of the network that is the sawtooth: `folds` hidden layers of two units."""
    fold, tent = torch.ones(1, 2), torch.tensor([[2.0], [-4.0]])
    weights = [fold, *[tent @ fold] * (folds - 1), tent]
    biases = [torch.tensor([[0.0, -0.5]])] * folds + [torch.zeros(1, 1)]
    return [values for layer in zip(weights, biases, strict=True) for values in layer]


def initial(widths: list[int], generator: torch.Generator) -> list[torch.Tensor]:
    """Weights by He's rule. The kinks of the first layer lie anywhere in [0, 1]; the other biases are zero."""
    parameters = []
    for inputs, outputs in pairwise([1, *widths, 1]):
        weight = torch.randn(RUNS, inputs, outputs, generator=generator) * (2 / inputs) ** 0.5
        parameters += [weight, torch.zeros(RUNS, 1, outputs)]
    parameters[1] = -parameters[0] * torch.rand(RUNS, 1, widths[0], generator=generator)
    return parameters


def forward(x: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    """The outputs of many networks at once, runs x points x 1: ReLU after every layer but the last."""
    *hidden, last = zip(parameters[::2], parameters[1::2], strict=True)
    for weight, bias in hidden:
        x = torch.relu(x @ weight + bias)
    return x @ last[0] + last[1]


def approach(widths: list[int], rate: float, steps: int, seed: int, noise: float | None = None) -> list[float]:
    """Train `RUNS` networks by Adam on the whole interval; their root mean squared errors at the end.

    noise: begin at the exact weights plus so much noise, in place of random weights.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = initial(widths, generator)
    if noise is not None:
        parameters = [v + noise * torch.randn(RUNS, *v.shape, generator=generator) for v in exact(FOLDS)]
    parameters = [values.requires_grad_() for values in parameters]
    x = torch.linspace(0, 1, POINTS)[:, None]
    y = sawtooth(x, FOLDS)
    optimizer = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        losses = (forward(x, parameters) - y).square().mean((1, 2))
        optimizer.zero_grad()
        losses.sum().backward()  # no run's weights occur in another one's loss
        optimizer.step()
        schedule.step()
    return losses.detach().sqrt().tolist()


# ---- The experiment


def experiment(data, pieces):
    """The fields of the record: a row for each network and budget."""
    pieces.expect(len(NETWORKS) * len(BUDGETS) * (len(RATES) + 1))

    def once(name, steps, rate, seed):
        widths, noise = NETWORKS[name]
        title = f"{name}: {steps} steps, rate {rate}, seed {seed}"
        return [round(error, 5) for error in pieces.once(title, approach, widths, rate, steps, seed, noise)]

    rows = []
    for steps, name in product(BUDGETS, NETWORKS):
        run = partial(once, name, steps)
        best, swept = sweep(partial(run, seed=SWEEP_SEED), RATES, lambda errors: -median(errors))
        row = {"network": name, "steps": steps, "learning_rate": best, "sweep": swept}
        rows.append(row | {"error": run(best, SEED)})
    return {"folds": FOLDS, "runs": RUNS, "points": POINTS, "rows": rows}

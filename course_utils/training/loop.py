"""The training loop: `fit` for a model of one's own, and `Run`, an epoch at a time, behind it and the command line."""

import copy
import math
import sys
import time
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import evaluation
from course_utils.datasets import Dataset
from course_utils.datasets.batches import Batches
from course_utils.machine import autocast, check_seed, derived_seed, keep_freed_memory, pick_device, pick_precision
from course_utils.training.recipes import Recipe, learning_rate

REMEDY = "take a lower learning rate or a longer warmup, and look at the size of inputs and initial weights"
LOOK = 20  # steps between two looks at the losses: to read a number off a GPU, Python waits until it has caught up


class Diverged(ValueError):
    """The loss is no longer a number."""


def fit(
    model: nn.Module,
    train: Dataset,
    validation: Dataset,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | None = None,
    precision: str | None = None,
    quiet: bool = False,
) -> list[dict]:
    """Train `model`, in place, on a Dataset, with a look at another after each epoch. Returns the history.

    recipe: for example recipe_for("quick", "mnist", "lenet5"). seed: of order, augmentation and dropout;
    torch's own generator is left as it was. The history has a dict an epoch: epoch, train_loss (smoothed labels
    included) and train_accuracy (both over the augmented batches as they came), validation_loss, validation_accuracy,
    images_per_second (training steps and augmentation, without validation), seconds (with it). The model ends in eval
    mode.
    Raises ValueError for a recipe or data that make no sense (NaN in images among them), Diverged for a loss of NaN.
    """
    evaluation.check_kinds(model=(model, nn.Module), train=(train, Dataset), validation=(validation, Dataset))
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe is {recipe!r}; expected a Recipe: recipe_for(name, data, model) gives one")
    run = Run(model, train, validation, recipe, seed, pick_device(device), precision)
    for _ in run.epochs(quiet=quiet):
        pass
    return run.history


class Run:
    """Training under way: a model, its optimizer and the history so far; each call of `epoch` adds one epoch.

    An epoch's order, augmentation and dropout are drawn from generators seeded by (seed, epoch, purpose). So the model,
    the optimizer's state and the history are all that it takes to go on, and they say how far the schedule is.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Dataset,
        validation: Dataset,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        precision: str | None = None,
    ):
        self.recipe, self.seed, self.device = recipe, check_seed(seed), device
        self.precision = pick_precision(precision, device)
        keep_freed_memory(device)
        # The faster order for convolutions. (torch's own types know no `to` with a memory format.)
        self.model = model.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        size = getattr(model, "input_size", None)
        augmentation = {"batch_size": recipe.batch_size, "seed": seed, "shift": recipe.shift, "flip": recipe.flip}
        self.train = Batches(train, device, size, **augmentation)
        self.validation = Batches(validation, device, size)
        for batches in (self.train, self.validation):
            evaluation.check_fit(model, batches)
        _check_batch_norm(model, self.train)
        self.optimizer = make_optimizer(model, recipe)
        self.history: list[dict] = []

    def epochs(self, until: int | None = None, quiet: bool = False) -> Iterator[dict]:
        """Train up to the end of epoch `until` (default: the recipe's last), with a progress bar; yields each row."""
        until = self.recipe.epochs if until is None else until
        images = self.train.steps * self.recipe.batch_size
        done = len(self.history)
        off = quiet or sys.stderr is None
        with tqdm(total=until * images, initial=done * images, unit=" images", unit_scale=True, disable=off) as bar:
            while len(self.history) < until:
                row = self.epoch(bar)
                bar.set_postfix_str(f"epoch {row['epoch']}: validation {row['validation_accuracy']:.1%}")
                yield row

    def epoch(self, bar: tqdm) -> dict:
        """Train for one more epoch, then look at the validation split. Returns the row added to the history."""
        start = time.perf_counter()
        done, images = len(self.history), self.train.steps * self.recipe.batch_size
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derived_seed(self.seed, done, 2))  # for dropout
            train_loss, train_accuracy = self._train(done, bar)
        trained = time.perf_counter()
        logits = evaluation.outputs(self.model, self.validation, self.precision)
        validation = evaluation.measure(logits, self.validation.labels)
        if not math.isfinite(validation["loss"]):
            raise Diverged(f"the validation loss is {validation['loss']} after epoch {done + 1}: {REMEDY}")
        row = {
            "epoch": done + 1,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "validation_loss": validation["loss"],
            "validation_accuracy": validation["accuracy"],
            "images_per_second": images / (trained - start),
            "seconds": time.perf_counter() - start,
        }
        self.history.append(row)
        return row

    def _train(self, done, bar):
        """The steps of an epoch, `done` epochs being done; mean loss and accuracy over its batches as they came."""
        self.model.train()
        steps = self.train.steps
        losses = torch.empty(steps, device=self.device)
        hits = torch.zeros((), dtype=torch.int64, device=self.device)
        for i, (images, labels) in enumerate(self.train.epoch(done)):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.recipe, done * steps + i, self.recipe.epochs * steps)
            with autocast(self.precision, self.device):
                logits = self.model(images)
                loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses[i] = loss.detach()
            hits += (logits.argmax(1) == labels).sum()
            if i % LOOK == 0 or i == steps - 1:
                self._refuse_divergence(losses[: i + 1], done)
            bar.update(len(labels))
        return losses.mean().item(), hits.item() / (steps * self.recipe.batch_size)

    def _refuse_divergence(self, losses, done):
        """Diverged, if one of the losses since the last look is NaN or infinite; names the first."""
        finite = losses[-LOOK:].isfinite()
        if finite.all():
            return
        i = len(losses) - len(finite) + int((~finite).nonzero()[0])
        rate = learning_rate(self.recipe, done * self.train.steps + i, self.recipe.epochs * self.train.steps)
        raise Diverged(
            f"the loss is {losses[i].item()} at epoch {done + 1}, batch {i + 1} of {self.train.steps}, "
            f"learning rate {rate:.3g}: {REMEDY}"
        )


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum. Weight decay pulls at weights only, not at biases nor at a channel's scale."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no parameters to train; expected at least one that requires_grad")
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)


@torch.no_grad()
def _check_batch_norm(model, batches):
    """ValueError where a batch of one is too little for the model's batch norm; tried on a copy, for it moves averages.

    A batch of one is enough where each channel still has several values in space.
    """
    if batches.batch_size > 1 or not any(
        isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules()
    ):
        return
    try:
        copy.deepcopy(model).train()(batches.batch(torch.arange(1, device=batches.device))[0])
    except ValueError as error:
        raise ValueError(
            f"batch_size is 1, too few for the statistics of the model's batch norm: take at least 2 ({error})"
        ) from error

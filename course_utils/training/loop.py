"""The training loop: `fit` for a model of one's own, and `Run`, an epoch at a time, behind it and the command line."""

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from course_utils import evaluation
from course_utils.datasets.sources import Data, Source, source
from course_utils.machine import autocast, check_seed, derived_seed, keep_freed_memory, pick_device, pick_precision
from course_utils.training import graphs
from course_utils.training.averaging import Average, keep_of
from course_utils.training.optimizers import make_optimizer, set_rates
from course_utils.training.parallel import ALONE, World
from course_utils.training.recipes import Recipe, learning_rate

REMEDY = "take a lower learning rate or a longer warmup, and look at the size of inputs and initial weights"
PREPARED = 5000  # images that a model may look at before training, to whiten them
LOOK = 20  # steps between two looks at the losses: to read a number off a GPU, Python waits until it has caught up


class Diverged(ValueError):
    """The loss is no longer a number."""


def fit(
    model: nn.Module,
    train: Data,
    validation: Data,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | None = None,
    precision: str | None = None,
    quiet: bool = False,
    cuda_graph: bool = False,
) -> list[dict]:
    """Train `model`, in place, on a split, with a look at another after each epoch. Returns the history.

    recipe: for example recipe_for("quick", "mnist", "lenet5"). seed: of order, augmentation and dropout;
    torch's own generator is left as it was. cuda_graph: on CUDA, see `graphs.capture`; not for a model that has
    hooks or whose `forward` does not always do the same. The history has a dict an epoch: epoch, train_loss (smoothed
    labels included) and train_accuracy (both over the augmented batches as they came), validation_loss,
    validation_accuracy, images_per_second (training steps and augmentation, without validation), seconds (with it).
    The model ends in eval mode.
    Raises ValueError for a recipe or data that make no sense (NaN in images among them), Diverged for a loss of NaN.
    """
    evaluation.check_kinds(model=(model, nn.Module), train=(train, Data), validation=(validation, Data))
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe is {recipe!r}; expected a Recipe: recipe_for(name, data, model) gives one")
    run = Run(model, train, validation, recipe, seed, pick_device(device), precision, cuda_graph=cuda_graph)
    try:
        for _ in run.epochs(quiet=quiet):
            pass
    finally:
        if run.cuda_graph:
            graphs.release(model)
    return run.history


class Run:
    """Training under way: a model, its optimizer and the history so far; each call of `epoch` adds one epoch.

    An epoch's order, augmentation and dropout are drawn from generators seeded by (seed, epoch, purpose); dropout's
    knows the process, too. So the model, the optimizer's state, the averaged weights and the history are all that it
    takes to go on, and they say how far the schedule is.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Data,
        validation: Data | None,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        precision: str | None = None,
        world: World = ALONE,
        cuda_graph: bool = False,
    ):
        self.recipe, self.seed, self.device, self.world = recipe, check_seed(seed), device, world
        if recipe.batch_size % world.size:
            raise ValueError(f"batch_size is {recipe.batch_size}; expected a multiple of {world.size}, the processes")
        self.precision = pick_precision(precision, device)
        keep_freed_memory(device)
        self.dtype = dtype = torch.float64 if self.precision == "float64" else torch.float32
        # The faster order for convolutions. (torch's own types know no `to` with a memory format.)
        self.model = model.to(device, dtype, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        size = getattr(model, "input_size", None)
        names = ("batch_size", "shift", "fill", "flip", "alternate_flip", "cutout")
        augmentation = {name: getattr(recipe, name) for name in names}
        self.train = source(train, device, size, dtype=dtype, seed=seed, **augmentation)
        self.validation = None if validation is None else source(validation, device, size, dtype=dtype)
        for batches in filter(None, (self.train, self.validation)):
            evaluation.check_fit(model, batches)
        _check_batch_norm(model, self.train, recipe.batch_size // world.size)
        if isinstance(prepare := getattr(model, "prepare", None), Callable):
            prepare(self.train.first(PREPARED))
        self.optimizer = make_optimizer(model, recipe)
        self.cuda_graph = cuda_graph and device.type == "cuda"
        if self.cuda_graph:
            graphs.capture(self.model, self.train.first(recipe.batch_size), self.precision)
        self.network = world.wrap(self.model, device)
        self.average = None if recipe.average == "none" else Average(model)
        self.history: list[dict] = []

    def epochs(self, until: int | None = None, quiet: bool = False) -> Iterator[dict]:
        """Train up to the end of epoch `until` (default: the recipe's last), with a progress bar; yields each row."""
        until = self.recipe.epochs if until is None else until
        images = self.train.steps * self.recipe.batch_size
        done = len(self.history)
        off = quiet or sys.stderr is None or not self.world.writes
        with tqdm(total=until * images, initial=done * images, unit=" images", unit_scale=True, disable=off) as bar:
            while len(self.history) < until:
                row = self.epoch(bar)
                if self.validation:
                    bar.set_postfix_str(f"epoch {row['epoch']}: validation {row['validation_accuracy']:.1%}")
                yield row

    def epoch(self, bar: tqdm) -> dict:
        """Train for one more epoch, then look at the validation split. Returns the row added to the history."""
        start = time.perf_counter()
        done, images = len(self.history), self.train.steps * self.recipe.batch_size
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(derived_seed(self.seed, done, 2, self.world.rank))  # for dropout
            train_loss, train_accuracy = self._train(done, bar)
        trained = time.perf_counter()
        validation = self._validate(last=done + 1 == self.recipe.epochs)
        if validation["loss"] is not None and not math.isfinite(validation["loss"]):
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
        recipe, steps = self.recipe, self.train.steps
        losses = torch.empty(steps, device=self.device, dtype=self.dtype)
        hits = torch.zeros((), dtype=torch.int64, device=self.device)
        for i, (images, labels) in enumerate(self.train.epoch(done, self.world.rank, self.world.size)):
            step = done * steps + i
            set_rates(self.optimizer, recipe, step, recipe.epochs * steps)
            with autocast(self.precision, self.device):
                logits, *auxiliary = as_tuple(self.network(images))
                loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
                total = loss
                for head in auxiliary:
                    more = F.cross_entropy(head, labels, label_smoothing=recipe.label_smoothing)
                    total = total + self.model.auxiliary_weight * more
            self.optimizer.zero_grad()
            total.backward()
            if recipe.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
            self.optimizer.step()
            self._average(step + 1)
            losses[i] = loss.detach()
            hits += (logits.argmax(1) == labels).sum()
            if i % LOOK == 0 or i == steps - 1:
                self._refuse_divergence(losses[: i + 1], done)
            bar.update(recipe.batch_size)
        images = steps * recipe.batch_size
        return self.world.mean(losses).mean().item(), self.world.sum(hits).item() / images

    def _average(self, step):
        """Every few steps, `step` being done, and after the last: the averaged weights follow the model's."""
        recipe, steps = self.recipe, self.recipe.epochs * self.train.steps
        if self.average and (step % recipe.average_every == 0 or step == steps):
            keep = keep_of(recipe.average_decay, recipe.average_every, step / steps)
            self.average.update(keep, write_back=recipe.average == "lookahead")

    def _validate(self, last):
        """Loss and accuracy on the validation split; the averaged weights, if there are, stay after the last epoch."""
        if self.average and last:
            self.average.take()
        if not self.validation:
            self.model.eval()
            return {"loss": None, "accuracy": None}
        with self.average.shown() if self.average and not last else nullcontext():
            logits = self.outputs(self.validation)
        return evaluation.measure(logits, self.validation.labels)

    def outputs(self, batches: Source, tta: str = "none") -> torch.Tensor:
        """The model's outputs on all images of a split, in their order, the work divided among the processes."""
        self.world.agree(self.model)
        mine = evaluation.outputs(self.model, batches, self.precision, tta, self.world.rank, self.world.size)
        return self.world.interleave(mine, evaluation.BATCH)

    def _refuse_divergence(self, losses, done):
        """Diverged, in all processes, if one of the losses since the last look is NaN or infinite; names the first."""
        recent = self.world.mean(losses[-LOOK:])
        finite = recent.isfinite()
        if finite.all():
            return
        k = int((~finite).nonzero()[0])
        i = len(losses) - len(finite) + k
        rate = learning_rate(self.recipe, done * self.train.steps + i, self.recipe.epochs * self.train.steps)
        raise Diverged(
            f"the loss is {recent[k].item()} at epoch {done + 1}, batch {i + 1} of {self.train.steps}, "
            f"learning rate {rate:.3g}: {REMEDY}"
        )


def as_tuple(outputs: torch.Tensor | tuple) -> tuple:
    """A model's outputs: its logits, and those of auxiliary classifiers, where it has some."""
    return outputs if isinstance(outputs, tuple) else (outputs,)


@torch.no_grad()
def _check_batch_norm(model, batches, share):
    """ValueError where a share of one image is too little for the model's batch norm.

    It is tried on a copy, for it moves averages. One image is enough where a channel still has several values in space.
    """
    if share > 1 or not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules()):
        return
    try:
        copy.deepcopy(model).train()(batches.first(1))
    except ValueError as error:
        raise ValueError(
            f"batch_size is {batches.batch_size}, too few for the statistics of the model's batch norm: "
            f"take at least 2 a process ({error})"
        ) from error

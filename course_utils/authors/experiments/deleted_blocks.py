"""Blocks taken out of trained networks at test time: chapter 13, section 6, after Veit, Wilber & Belongie (2016).

The networks are the ones that are part of the package. A block is taken out alone, and nothing is trained again. Only
blocks that keep the shape can be: what comes in goes on as it is.
"""

from dataclasses import replace

from torch import nn

from course_utils import datasets, evaluation
from course_utils.models import pretrained

WHAT = "loss and accuracy of trained networks on test images, whole and without one block, nothing trained again"
MODELS = ("plain20", "resnet20")
IMAGES = 2000  # the first of the test split


def outcome(model, block, data, how):
    """Loss and accuracy of a network without that block, "conv2_x.0"; an empty name takes none out."""
    test = datasets.load(data, "test")
    net = pretrained.load(model)
    if block:
        stage, place = block.split(".")
        getattr(net.stages, stage)[int(place)] = nn.Identity()
    some = replace(test, images=test.images[:IMAGES], labels=test.labels[:IMAGES])
    return evaluation.evaluate(net, some, device=how["device"], precision=how["precision"])


def blocks_of(net):
    """The names of the blocks that keep the shape: all but the first of a stage that halves the maps."""
    return [f"{name}.{i}" for name, stage in net.stages.named_children() for i in range(name != "conv2_x", len(stage))]


def experiment(data, pieces):
    """The fields of the record: for each network its loss and accuracy, and those without each of its blocks."""
    blocks = blocks_of(pretrained.load(MODELS[0]))
    pieces.expect(len(MODELS) * (1 + len(blocks)))
    rows = []
    for model in MODELS:
        found = {
            block: pieces.once(f"{model} without {block or 'nothing'}", outcome, model, block, data, pieces.how)
            for block in ("", *blocks)
        }
        row = {"model": model, **found.pop("")}
        for name in ("loss", "accuracy"):
            row[f"{name}_without"] = {block: values[name] for block, values in found.items()}
        rows.append(row)
    return {"images": IMAGES, "rows": rows}

"""`load` and what is said of data sets, their cards included."""

from pathlib import Path

import pytest
import torch
from matplotlib import pyplot as plt

from course_utils import datasets
from course_utils.figures.datasets import sheet

ROOT = Path(__file__).resolve().parents[2]


def test_embedded_sets_read_no_folder_and_no_network(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "/nowhere/at/all")
    monkeypatch.setattr("socket.socket", None)
    for name in ("mnist-mini", "digits", "shapes"):
        assert datasets.present(name) and datasets.fetch(name) is None
        assert datasets.describe(name).endswith("embedded")


def test_a_data_set_is_shown_in_a_line():
    assert repr(datasets.load("digits", "test")) == "Dataset('digits', 'test', images 359 x 1 x 32 x 32, 10 classes)"
    line = "digits: 1,295 train + 143 validation + 359 test images of 1 x 32 x 32, 10 classes; embedded"
    assert datasets.describe("digits") == line


def test_what_a_caller_does_to_images_stays_with_the_caller():
    first = datasets.load("digits", "train")
    before = first.images.clone(), first.labels.clone()
    first.images.zero_()
    first.labels.zero_()
    again = datasets.load("digits", "train")
    assert again.images.equal(before[0]) and again.labels.equal(before[1])


@pytest.mark.parametrize(
    "call", [datasets.fetch, datasets.present, datasets.describe, lambda n: datasets.load(n, "test")]
)
@pytest.mark.parametrize("name", ["imagenet", "imagefolder:/somewhere", "Digits", ""])
def test_unknown_name(call, name):
    names = "mnist-mini, digits, shapes, shapes-96, compounds, mnist, fashion-mnist, cifar10"
    with pytest.raises(ValueError, match=f"{name!r}.*{names}"):
        call(name)


@pytest.mark.parametrize("call", [datasets.load, datasets.parts])
def test_unknown_split(call):
    with pytest.raises(ValueError, match=r"'val'.*train, validation, test"):
        call("shapes", "val")


# ---- What is said about them


@pytest.mark.parametrize("name", datasets.available())
def test_each_set_has_a_card(name):
    card = (ROOT / "data" / "cards" / f"{name}.md").read_text("utf-8")
    for part in ("What.", "Size and splits.", "Source.", "Licence.", "Known flaws.", "How to get it."):
        assert f"**{part}**" in card
    assert f"cards/{name}.md" in (ROOT / "data" / "README.md").read_text("utf-8")


def test_a_sheet_shows_the_images_asked_for():
    data = datasets.load("shapes", "validation")
    figure = sheet(data, per_class=3)
    (axes,) = figure.axes
    page = axes.images[0].get_array()
    assert page.shape == (10 * 34 - 2, 3 * 34 - 2, 3)
    second_ring = data.images[torch.nonzero(data.labels == 2)[1, 0]].permute(1, 2, 0).numpy()
    assert (page[68:100, 34:66] == second_ring).all()
    assert [label.get_text() for label in axes.get_yticklabels()] == list(data.classes)
    plt.close(figure)


def test_a_sheet_of_large_images_does_not_shrink_them():
    images, labels = torch.zeros(30, 3, 96, 96, dtype=torch.uint8), torch.arange(30) % 10
    data = datasets.Dataset("made up", "train", images, labels, tuple("0123456789"), (0.5,) * 3, (0.5,) * 3)
    figure = sheet(data, per_class=3)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_window_extent().height >= 0.9 * 10 * 96
    plt.close(figure)


@pytest.mark.parametrize("per_class", [0, 51])
def test_a_sheet_of_more_than_there_is(per_class):
    with pytest.raises(ValueError, match=f"per_class is {per_class}; .*1 to 50"):
        sheet(datasets.load("shapes", "validation"), per_class)

"""The README against what it describes: its table of chapters, its figures, its links, its commands."""

import re
import statistics
from pathlib import Path

import nbformat
import pytest

from course_utils.training import load_runs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTENTS = README.partition("\n## Chapters\n")[2].partition("\n## ")[0]  # weeks of the plan have numbers, too
ROWS = {line[2:4]: line for line in CONTENTS.splitlines() if re.match(r"\| \d\d \| ", line)}
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_row_of_a_chapter(path):
    first = nbformat.read(path, 4).cells[0].source
    title = re.match(r"# \d\d (.+)", first)[1]
    slides, minutes = re.search(r"^Lecture: (.+?)\. Time: (\d+) minutes", first, re.M).groups()
    slides = re.sub(r"(?<=\d) and (?=\d)", ", ", slides.removeprefix("slides ").removeprefix("slide "))
    row = ROWS[path.name[:2]]
    assert f"[{title}](notebooks/{path.name}) | {slides} | {minutes} |" in row


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_row_of_the_exercises(path):
    master = path.parent / "solutions" / path.name
    if not master.exists():
        pytest.skip("this chapter has no exercises")
    source = "\n".join(cell.source for cell in nbformat.read(master, 4).cells)
    lines = re.findall(r"^★.*", source, re.M)
    minutes, points = (sum(int(n) for line in lines for n in re.findall(rf"· (\d+) {x}", line)) for x in ("min", "poi"))
    assert f"| {minutes} min, {points} points |" in ROWS[path.name[:2]]


def test_only_what_is_there_is_linked():
    linked = {row[2:4]: "](notebooks/" in row for row in ROWS.values()}
    assert sorted(linked) == [f"{n:02d}" for n in range(18)]
    assert {number for number, there in linked.items() if there} == {path.name[:2] for path in CHAPTERS}


@pytest.mark.parametrize("model", ["lenet5_simple", "lenet5"])
def test_row_of_runs(model):
    def cell(data):
        accuracies = [100 * run["test_accuracy"] for run in load_runs(f"{model}-{data}-seed*")]
        assert len(accuracies) == 3
        return f"{statistics.mean(accuracies):.2f} ± {statistics.stdev(accuracies):.2f} %"

    assert f"| `{model}` | {cell('fashion-mnist')} | {cell('mnist')} |" in README


def groups_on_cifar10():
    """The runs on CIFAR-10, by model, with its options, and recipe, if that is long."""
    groups = {}
    for run in load_runs("*-cifar10-seed*"):
        options = "".join(f", {option} {value}" for option, value in run["model_options"].items())
        long = ", long" if run["recipe"] == "long" else ""
        groups.setdefault(f"`{run['model']}`{options}{long}", []).append(run)
    return groups


@pytest.mark.parametrize(("name", "runs"), groups_on_cifar10().items(), ids=[*groups_on_cifar10()])
def test_row_of_runs_on_cifar10(name, runs):
    def cell(key):
        accuracies = [100 * run[key] for run in runs]
        spread = f" ± {statistics.stdev(accuracies):.2f}" if len(accuracies) > 1 else ""
        return f"{statistics.mean(accuracies):.2f}{spread} %"

    epochs = len(runs[0]["epochs"])
    row = f"| {name} | {epochs} | {len(runs)} | {cell('test_accuracy')} | {cell('stated_accuracy')} |"
    assert row in README


def test_seconds_of_runs():
    seconds = [run["seconds"] for run in load_runs("lenet5_simple-fashion-mnist-seed*")]
    assert "took one to two minutes" in README and all(60 <= s <= 120 for s in seconds)


def test_minutes_of_the_long_recipe():
    minutes = [round(run["seconds"] / 60) for run in load_runs("*-long-cifar10-seed*")]
    assert len(minutes) == 5 and "Its five recorded runs" in README
    assert f"took {min(minutes)} to {max(minutes)} minutes each" in README


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links and [link for link in links if not (ROOT / link).exists()] == []


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`?make ([a-z]+)", README)) - {"and"}
    assert targets and [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []

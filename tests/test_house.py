"""The house: its rooms, their size, what is said at their doors; and what looks at all of it, here and elsewhere.

That imports go downward is a contract in pyproject.toml, which `make lint` holds; here, that it names every room.
"""

import ast
import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "course_utils"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
LONGEST = 250


def name(path):
    return path.relative_to(PACKAGE).as_posix()


def test_a_module_is_read_in_one_sitting():
    """But a set of checks is a table, one exercise after another, and may be longer."""
    lines = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = {path: count for path, count in lines.items() if count > LONGEST}
    assert [path for path in long if not re.fullmatch(r"exercises/checks/ex\d\d\.py", path)] == []


def test_there_are_no_other_rooms_than_the_contract_names():
    contract = PYPROJECT["tool"]["importlinter"]["contracts"][0]
    assert contract["containers"] == ["course_utils"] and contract["exhaustive"]
    named = {room.strip("() ") for layer in contract["layers"] for room in layer.split("|")}
    there = {path.stem for path in PACKAGE.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert there <= named
    assert named - there <= {"seeing"}  # in parentheses: not built yet
    packages = [path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    assert [path for path in packages if any(path.glob("*.py")) and not (path / "__init__.py").exists()] == []


def bare(function):
    """What a function leaves without an annotation."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    missing = [argument.arg for argument in arguments if argument.annotation is None]
    return missing + (["its result"] if function.returns is None else [])


@pytest.mark.parametrize("folder", PYPROJECT["tool"]["pyright"]["include"])
def test_public_functions_are_annotated(folder):
    """What is annotated, pyright checks. Left out: the draws and answers of exercises, tables of small functions."""
    paths = [path for path in MODULES if path.is_relative_to(ROOT / folder) and "checks" not in path.parts]
    assert paths
    functions = [(path, node) for path in paths for node in ast.parse(path.read_bytes()).body]
    public = [(p, f) for p, f in functions if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")]
    assert [f"{name(path)}: {f.name}: {', '.join(bare(f))}" for path, f in public if bare(f)] == []


def test_a_commit_is_held_to_the_same_as_make_lint():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [(hook["entry"], hook["language"]) for repo in hooks for hook in repo["hooks"]] == [("make lint", "system")]
    assert [repo["repo"] for repo in hooks] == ["local"]  # so there is no second list of versions


def test_the_hosted_tests_run_what_a_reader_would():
    """On Linux all of it, on the other two what needs neither sandbox nor browser; no logic of their own."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    lines = {job: [step["run"] for step in given["steps"] if "run" in step] for job, given in workflow["jobs"].items()}
    assert lines["linux"] == [".ci/run"] and lines["macos"] == ["make test"]
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.search(r"^make test$", ci, re.M) and "bubblewrap chromium" in ci
    extras = re.search(r"^tools:\n\t\$\(bootstrap\) (.+)$", MAKEFILE, re.M)[1].split()
    make, install, test = lines["windows"]
    assert make in (ROOT / "README.md").read_text(encoding="utf-8")
    assert install == f".venv\\Scripts\\python -m pip install -e .[{','.join(extras)}]"
    assert test.startswith(".venv\\Scripts\\python -m pytest ")
    versions = workflow["jobs"]["linux"]["strategy"]["matrix"]["python"]
    oldest, newest = re.findall(r"3\.(\d+)", PYPROJECT["project"]["requires-python"])
    assert versions == [f"3.{oldest}", f"3.{int(newest) - 1}"]


def test_every_dependency_has_bounds_and_lint_is_part_of_the_tests():
    extras = PYPROJECT["project"]["optional-dependencies"]
    for requirement in [*PYPROJECT["project"]["dependencies"], *chain(*extras.values())]:
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?>=[\d.]+,<[\d.]+", requirement), requirement
    tools = {re.match(r"[\w-]+", requirement)[0] for requirement in extras["test"]}
    assert {"ruff", "import-linter", "pyright", "pytest", "nbval"} <= tools
    assert set(extras) == {"benchmark", "grade", "test", "torchvision"}

"""Source in 88 columns is the same program, and reads well."""

import ast
from pathlib import Path

import pytest

import course_utils
from course_utils.listing import WIDTH, narrow

PACKAGE = Path(course_utils.__file__).parent
LESSONS = sorted([*PACKAGE.glob("scratch/*.py"), *PACKAGE.glob("models/*.py"), PACKAGE / "arithmetic.py"])


def program(source):
    """What a source does: its syntax tree, with the words of its docstrings, but not their lines."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        first = node.body[0] if isinstance(getattr(node, "body", None), list) and node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            first.value.value = " ".join(first.value.value.split())
    return ast.dump(tree)


def wide(source):
    return [line for line in source.splitlines() if len(line) > WIDTH]


def test_it_is_the_same_program():
    """On some 30 modules, of which hundreds of lines are too wide."""
    sources = [path.read_text(encoding="utf-8") for path in (*LESSONS, *PACKAGE.glob("training/*.py"))]
    assert sum(len(wide(source)) for source in sources) > 300
    assert [source for source in sources if program(narrow(source)) != program(source)] == []


def test_functions_and_classes_of_a_lesson_fit():
    """But for three `for` over tuples of tuples, which nobody shows alone."""
    found = []
    for path in LESSONS:
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found += wide(narrow(ast.get_source_segment(source, node)))
    assert len(found) <= 3, found


WORDS = "word " * 20 + "end"
NAMES = ", ".join(f"argument_{i}" for i in range(9))
ROWS = "    " + NAMES[:83] + "\n    argument_7, argument_8"
CASES = {
    "a narrow line": ("x = f(1)  # why", "x = f(1)  # why"),
    "a method": ("    def f(self):\n        return 1\n", "def f(self):\n    return 1"),
    "a docstring": (
        f'def f():\n    """{WORDS}."""',
        'def f():\n    """' + "word " * 15 + "word\n    " + "word " * 4 + 'end."""',
    ),
    "a comment behind code": (
        f"def f():\n    x = 1  # {WORDS}",
        "def f():\n    # " + "word " * 15 + "word\n    # " + "word " * 4 + "end\n    x = 1",
    ),
    "a call": (f"y = function({NAMES})", f"y = function(\n{ROWS}\n)"),
    "a signature": (f"def f({NAMES}):\n    pass", f"def f(\n{ROWS}\n):\n    pass"),
    "a tuple": (f"several = {NAMES}", f"several = (\n{ROWS}\n)"),
    "a list of all": (
        "numbers = [first_function(number) for number in a_list_of_many_many_numbers if second_function(number)]",
        "numbers = [\n    first_function(number) for number in a_list_of_many_many_numbers\n"
        "    if second_function(number)\n]",
    ),
    "a message": (
        f'raise ValueError(f"{"word " * 12}{{size}}; {"word " * 4}")',
        f'raise ValueError(\n    f"{"word " * 12}{{size}}; word word "\n    "word word "\n)',
    ),
    "a long string": (f'x = """\n{WORDS}\n"""', f'x = """\n{WORDS}\n"""'),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_how_it_is_set(source, expected):
    assert narrow(source) == expected

"""python -m course_utils.authors record | slides | exercises [PATHS...]; without paths: all notebooks."""

import argparse
import sys
from pathlib import Path

from course_utils.files import ROOT

NOTEBOOKS = ROOT / "notebooks"


def notebooks(given, *folders):
    """The notebooks named, or those of notebooks/ and the folders in it. Raises ValueError if one is not there."""
    paths = [Path(path) for path in given] or sorted(p for f in folders for p in (NOTEBOOKS / f).glob("[0-9]*.ipynb"))
    for path in paths:
        if path.suffix != ".ipynb" or not path.is_file():
            raise ValueError(f"{path} is not a notebook")
    return paths


def record(args):
    from course_utils.authors.record import record_all

    paths = notebooks(args.paths, ".", "solutions", "exercises")
    return 1 if record_all(dict.fromkeys(paths), args.jobs) else 0


def slides(args):
    from course_utils.authors.slides import make

    make(notebooks(args.paths, "."), args.out)


def exercises(args):
    from course_utils.authors.exercises import make

    return 1 if make(notebooks(args.paths, "solutions"), args.jobs) else 0


def parser():
    top = argparse.ArgumentParser(prog="python -m course_utils.authors", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function, summary):
        sub = commands.add_parser(function.__name__, help=summary, description=summary)
        sub.set_defaults(function=function)
        sub.add_argument("paths", nargs="*", metavar="PATH", help="notebooks (default: all)")
        return sub

    sub = command(record, "execute notebooks as nbval will see them, and store them normalized")
    sub.add_argument("-j", "--jobs", type=int, default=2, metavar="N", help="notebooks at a time (default: 2)")
    sub = command(slides, "a reveal.js page of each chapter")
    sub.add_argument("--out", type=Path, default=Path("build/slides"), metavar="DIR", help="default: build/slides")
    sub = command(exercises, "the learners' exercises from the masters, recorded")
    sub.add_argument("-j", "--jobs", type=int, default=2, metavar="N", help="notebooks at a time (default: 2)")
    return top


def main(argv=None):
    """Run one command; returns the exit code: 1 if a notebook failed, 2 with one line for a wrong argument."""
    args = parser().parse_args(argv)
    try:
        return args.function(args) or 0
    except (ValueError, OSError) as error:
        print(f"course_utils.authors: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

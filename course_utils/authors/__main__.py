"""python -m course_utils.authors record | slides | exercises [PATHS...], default: all notebooks | keep PATHS..."""

import argparse
import sys
from pathlib import Path

from course_utils.command_line import Parser
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


def keep(args):
    from course_utils.authors.keep import keep

    if not args.paths:
        raise ValueError("no run is named; expected the folders of finished runs")
    for folder in args.paths:
        for path in keep(Path(folder)):
            print(path.relative_to(ROOT))


def positive(text):
    """An argument that is a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def parser():
    top = Parser(prog="python -m course_utils.authors", description="What those who write the course need.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(function, summary, what="notebooks (default: all)"):
        sub = commands.add_parser(function.__name__, help=summary, description=summary)
        sub.set_defaults(function=function)
        sub.add_argument("paths", nargs="*", metavar="PATH", help=what)
        return sub

    sub = command(record, "execute notebooks as nbval will see them, and store them normalized")
    sub.add_argument("-j", "--jobs", type=positive, default=2, metavar="N", help="notebooks at a time (default: 2)")
    sub = command(slides, "a reveal.js page of each chapter")
    sub.add_argument("--out", type=Path, default=Path("build/slides"), metavar="DIR", help="default: build/slides")
    sub = command(exercises, "the learners' exercises from the masters, recorded")
    sub.add_argument("-j", "--jobs", type=positive, default=2, metavar="N", help="notebooks at a time (default: 2)")
    command(keep, "records, outputs and weights of finished runs, for the repository", "the folders of runs")
    return top


def main(argv=None):
    """Run one command; returns the exit code: 1 if a notebook failed, 2 with one line for what can be mended, 130 after
    Ctrl-C.
    """
    top = parser()
    try:
        args = top.parse_args(argv)
        if not args.command:
            top.print_help()
            return 0
        return args.function(args) or 0
    except (ValueError, OSError) as error:
        print(f"course_utils.authors: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\ncourse_utils.authors: interrupted; what was finished is stored, all else is as it was", file=sys.stderr
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())

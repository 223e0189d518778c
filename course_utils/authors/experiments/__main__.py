"""Make the record of an experiment: python -m course_utils.authors.experiments NAME [--data DATA] [--out FILE]."""

import sys

from course_utils.authors import experiments
from course_utils.command_line import Parser


def parser():
    """The argument parser; its help names the experiments and their data."""
    names = "\n".join(f"  {name:18} --data {' | '.join(data)}" for name, data in experiments.EXPERIMENTS.items())
    top = Parser(
        prog="python -m course_utils.authors.experiments",
        description="Make the record of an experiment: sweep, train at the best rate, write data/runs/NAME-DATA.json.",
        epilog=f"experiments:\n{names}\n\nexample:\n  python -m course_utils.authors.experiments lenet5-changes\n",
    )
    top.add_argument("name", metavar="NAME", help="one of those below")
    top.add_argument("--data", metavar="DATA", help="default: the first that is listed below")
    top.add_argument("--device", default="cpu", metavar="D", help="cpu (default) or, where an experiment has it, cuda")
    top.add_argument("--out", metavar="FILE", help="default: data/runs/NAME-DATA.json in the course's folder")
    return top


def main(argv=None):
    """Make one record; returns the exit code: 0, 2 with one line for a wrong argument, 130 after Ctrl-C."""
    args = parser().parse_args(argv)
    try:
        print(experiments.run(args.name, args.data, args.out, args.device))
    except (ValueError, OSError) as error:
        print(f"course_utils.authors.experiments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

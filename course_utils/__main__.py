"""The command line: python -m course_utils COMMAND. A wrong argument ends in one line and exit code 2."""

import argparse
import sys


def doctor(args):
    from course_utils.setup.doctor import report

    return report()


def data(args):
    from course_utils import datasets

    print(datasets.describe(args.name))


def train(args):
    from course_utils import training

    training.train(
        args.model,
        args.data,
        args.recipe,
        epochs=args.epochs,
        stop_after=args.stop_after,
        seed=args.seed,
        batch_size=args.batch_size,
        out=args.out,
        resume=args.resume,
        device=args.device,
    )


def release(args):
    from course_utils.exercises.grading.release import release

    release(args.chapter, args.out)


def grade(args):
    from course_utils.exercises.grading import grade

    grade(args.chapter, args.submissions, args.out)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage that `--help` prints."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def parser():
    """The argument parser, one sub-command a function of this file."""
    top = Parser(prog="python -m course_utils", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(function, summary):
        sub = commands.add_parser(function.__name__, help=summary, description=summary)
        sub.set_defaults(function=function)
        return sub

    command(doctor, "what this machine can run, what is missing, how to mend it")

    sub = command(data, "fetch and verify a data set")
    sub.add_argument("name", metavar="NAME")

    sub = command(train, "train a model and keep its record")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("--data", required=True, metavar="NAME", help="digits, shapes, mnist, fashion-mnist, cifar10")
    sub.add_argument("--recipe", default="quick", metavar="quick|full", help="the budget (default: quick)")
    sub.add_argument("--epochs", type=int, metavar="N", help="total number; fixes the schedule")
    sub.add_argument("--stop-after", type=int, metavar="K", help="end early, after epoch K")
    sub.add_argument("--seed", type=int, default=0, metavar="S")
    sub.add_argument("--batch-size", type=int, metavar="B")
    sub.add_argument("--out", metavar="DIR", help="default: build/MODEL-DATA-seedS")
    sub.add_argument("--resume", action="store_true", help="go on from DIR/checkpoint.pt, if there is one")
    sub.add_argument("--device", metavar="D", help="cpu, cuda, mps (default: the best there is)")

    sub = command(release, "student versions of a chapter's exercises, or of all")
    sub.add_argument("chapter", metavar="CHAPTER|all")
    sub.add_argument("--out", required=True, metavar="DIR")

    sub = command(grade, "grade a folder of submissions in a sandbox")
    sub.add_argument("chapter", metavar="CHAPTER")
    sub.add_argument("--submissions", required=True, metavar="DIR", help="DIR/STUDENT/NN_topic.ipynb")
    sub.add_argument("--out", required=True, metavar="DIR", help="grades.csv and feedback/ appear here")
    return top


def main(argv=None):
    """Run one command; returns the exit code: 0, or 2 with one line on standard error for what the user can mend."""
    args = parser().parse_args(argv)
    try:
        return args.function(args) or 0
    except (ValueError, OSError) as error:
        print(f"course_utils: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

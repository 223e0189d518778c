"""The command line: python -m course_utils COMMAND. A wrong argument ends in one line and exit code 2."""

import io
import os
import sys

from course_utils.command_line import Parser, one_line


def lab(args):
    from course_utils.setup import workspace

    workspace.lab()


def fresh(args):
    from course_utils.setup import workspace

    for path in workspace.fresh(args.chapter):
        print(f"work/{path.as_posix()}")


def doctor(args):
    from course_utils.setup.doctor import report

    return report()


def data(args):
    from course_utils import datasets

    print(datasets.describe(args.name))


def train(args):
    from course_utils import models, training

    kinds = {name: type(default) for name, default in models.options(args.model).items()}
    training.train(
        args.model,
        args.data,
        args.recipe,
        settings=values(args.set, training.fields(), "a recipe"),
        model_options=values(args.model_option, kinds, args.model),
        epochs=args.epochs,
        stop_after=args.stop_after,
        seed=args.seed,
        batch_size=args.batch_size,
        out=args.out,
        resume=args.resume,
        device=args.device,
        precision=args.precision,
        compile=args.compile,
        deterministic=args.deterministic,
        sync_batch_norm=args.sync_batch_norm,
    )


def evaluate(args):
    from course_utils.training.ensembles import evaluate_runs

    evaluate_runs(args.runs, tta=args.tta, device=args.device, precision=args.precision)


def release(args):
    from course_utils.exercises.grading.release import release

    release(args.chapter, args.out)


def grade(args):
    from course_utils.exercises.grading import grade

    return grade(args.chapter, args.submissions, args.out, args.roster, args.student, args.format)


def example(words):
    """The end of a help that is an example only."""
    return lambda: f"example:\n  python -m course_utils {words}\n"


def data_names():
    from course_utils import datasets

    return f"""data sets: {", ".join(datasets.available())}
folder:PATH is for images of your own, in PATH/train/CLASS/ and PATH/val/CLASS/

example:
  python -m course_utils data fashion-mnist
"""


def grading():
    return """the class list: names, one a line, or a CSV in UTF-8 with a header, such as an export of Moodle or Canvas
--format moodle: moodle.csv beside grades.csv, for "Upload grading worksheet" of an assignment; the class list has to
  be that assignment's own grading worksheet, or the folders those of its "Download all submissions"
--format canvas: canvas.csv beside grades.csv, for "Import" in the gradebook; the class list has to be its own export,
  or the folders named by login
exit code: 0; 1 if somebody is not_graded for a reason that is said, the others are; 2 if nothing could be graded

examples:
  python -m course_utils grade 06 --submissions handed-in --out graded
  python -m course_utils grade 06 --submissions handed-in --out graded --roster class.csv --student "Ada Lovelace"
"""


def train_names():
    from course_utils import datasets, models, training

    options = {name: models.options(name) for name in models.available()}
    with_some = [
        f"  {name}: {', '.join(f'{option}={value}' for option, value in given.items())}"
        for name, given in options.items()
        if given
    ]
    words = training.WORDS
    fields = [f"{name} ({'|'.join(words[name])})" if name in words else name for name in training.fields()]
    return f"""models, and their options with their defaults:
{chr(10).join(with_some)}
  without options: {", ".join(name for name, given in options.items() if not given)}
data sets: {", ".join(datasets.available())}, folder:PATH
recipes: {", ".join(training.RECIPES)}
fields of a recipe: {", ".join(fields)}

examples:
  python -m course_utils train lenet5_simple --data digits
  python -m course_utils train lenet5 --data fashion-mnist --recipe full --set learning_rate=0.05 --out build/slow
"""


def values(words, kinds, owner):
    """{name: value} of words NAME=VALUE; `kinds` has the type of each name that `owner` takes. Raises ValueError."""
    from course_utils.training.recipes import KINDS

    found = {}
    for word in words:
        name, equals, text = (part.strip() for part in word.partition("="))
        if not equals or not name:
            raise ValueError(f"{word!r} sets nothing; expected NAME=VALUE, where NAME is {', '.join(kinds) or 'none'}")
        if name not in kinds:
            raise ValueError(f"{owner} has no {name!r} to set; it has {', '.join(kinds) or 'none'}")
        kind = kinds[name]
        try:
            value = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            raise ValueError(f"{name} is {text!r}; expected {KINDS[kind]}") from None
        if name in found:
            raise ValueError(f"{name} is given twice, as {found[name]!r} and as {value!r}")
        found[name] = value
    return found


def parser():
    """The argument parser, one sub-command a function of this file."""
    top = Parser(prog="python -m course_utils", description="The course's command line.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(function, summary, names=None):
        sub = commands.add_parser(function.__name__, help=summary, description=summary, names=names)
        sub.set_defaults(function=function)
        return sub

    command(lab, "open the course in JupyterLab, in a copy of your own in work/", example("lab"))

    sub = command(fresh, "a clean copy of a chapter beside yours", example("fresh 06"))
    sub.add_argument("chapter", metavar="NN", help="the chapter's number, for example 06")

    command(doctor, "what this machine can run, what is missing, how to mend it", example("doctor"))

    sub = command(data, "fetch and verify a data set", data_names)
    sub.add_argument("name", metavar="NAME", help="a data set, see below")

    sub = command(train, "train a model and keep its record", train_names)
    sub.add_argument("model", metavar="MODEL", help="the name of a model, see below")
    sub.add_argument("--data", required=True, metavar="NAME", help="the name of a data set, see below")
    sub.add_argument("--recipe", default="quick", metavar="NAME", help="default: quick")
    sub.add_argument("--epochs", type=int, metavar="N", help="total number; fixes the schedule (default: the recipe's)")
    sub.add_argument("--stop-after", type=int, metavar="K", help="end early, after epoch K (default: the last)")
    sub.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    sub.add_argument("--batch-size", type=int, metavar="B", help="default: the recipe's")
    sub.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="another value in the recipe; may be repeated"
    )
    sub.add_argument(
        "--model-option", action="append", default=[], metavar="NAME=VALUE", help="of the model; may be repeated"
    )
    sub.add_argument("--out", metavar="DIR", help="default: build/MODEL-DATA-seedS")
    sub.add_argument("--resume", action="store_true", help="go on from DIR/checkpoint.pt, if there is one")
    sub.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    sub.add_argument(
        "--precision",
        metavar="P",
        help="float32, bfloat16 or float64 (default: bfloat16 on hardware that multiplies it by itself, else float32)",
    )
    sub.add_argument("--compile", action="store_true", help="let torch compile the model; takes a minute or more")
    sub.add_argument("--deterministic", action="store_true", help="the same bits each time, on a GPU as well")
    sub.add_argument("--sync-batch-norm", action="store_true", help="one batch norm for all processes, on GPUs")

    several = example("evaluate build/fast_cnn-cifar10-seed0 build/fast_cnn-cifar10-seed1 --tta flip")
    sub = command(evaluate, "finished runs on their test images; several: each, and their ensemble", several)
    sub.add_argument("runs", nargs="+", metavar="DIR", help="the folder of a finished run, on the same data set")
    sub.add_argument("--tta", default="none", metavar="T", help="none, flip or shift: the mean of several looks")
    sub.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1, mps (default: the best there is)")
    sub.add_argument("--precision", metavar="P", help="float32, bfloat16 or float64 (default: that of each run)")

    sub = command(release, "student versions of a chapter's exercises, or of all", example("release 06 --out class"))
    sub.add_argument("chapter", metavar="CHAPTER|all", help="the chapter's number, for example 06")
    sub.add_argument("--out", required=True, metavar="DIR", help="the notebooks appear here")

    sub = command(grade, "grade a folder of submissions in a sandbox", grading)
    sub.add_argument("chapter", metavar="CHAPTER", help="the chapter's number, for example 06")
    sub.add_argument("--submissions", required=True, metavar="DIR", help="DIR/STUDENT/NN_topic.ipynb")
    sub.add_argument("--out", required=True, metavar="DIR", help="grades.csv and feedback/ appear here")
    sub.add_argument("--roster", metavar="FILE", help="the class list, so that who handed in nothing is listed, too")
    sub.add_argument("--student", metavar="NAME", help="grade this one alone, the other rows stay (default: all)")
    sub.add_argument("--format", default="csv", metavar="F", help="csv, moodle or canvas, see below (default: csv)")
    return top


def main(argv=None):
    """Run one command; returns its exit code.

    2 with one line for what the user can mend; 130 after Ctrl-C; 141 where nobody reads the output any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the name of a folder may hold what it cannot print
    try:
        top = parser()
        args = top.parse_args(argv)
        if not args.command:
            top.print_help()
            return 0
        for name in ("out", "submissions"):
            if getattr(args, name, None) == "":
                raise ValueError(f"--{name} is empty; expected the path of a folder")
        return args.function(args) or 0
    except BrokenPipeError:  # whoever read the output, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError) as error:
        print(f"course_utils: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print(f"\ncourse_utils: {one_line(error, 'interrupted')}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

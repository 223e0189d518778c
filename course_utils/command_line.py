"""What the command lines of the course and of its authors share: one line for what is wrong."""

import argparse


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage that `--help` prints.

    `names` gives the end of the help: it is called for a help only, since the names of models cost an import of torch.
    """

    def __init__(self, *args, names=None, **options):
        super().__init__(*args, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.names = names

    def format_help(self):
        if self.names:
            self.epilog = self.names()
        return super().format_help()

    def error(self, message):
        self.exit(2, f"{self.prog}: {' '.join(message.split())[:500]}; --help says more\n")


def one_line(error, otherwise=None):
    """An exception's message on one line; of an OSError of Python's own, the file and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        error = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())[:1000] or otherwise or type(error).__name__

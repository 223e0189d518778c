"""Inside the sandbox: runs the cells of a submission in IPython's shell and calls its functions, one request a line.

Started by `sandbox.py` as a script, never imported by the course. A request is {"run": source of a cell} or
{"call": name of a function, "inputs": tuple}; replies are lines of plain data, too. Nothing that this process says is
trusted: it belongs to the student from the first cell on.
"""

import io
import os
import sys
from typing import Any

sys.path.insert(0, "/course")

from course_utils.exercises.plain import answer, decode, encode, error_name

PRINTED = 20_000  # characters kept of what a cell prints


class Capped(io.TextIOBase):
    """A text stream that keeps the beginning of what is printed and drops the rest."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.room = PRINTED

    def write(self, text: str) -> int:
        if self.room:
            self.kept.append(text[: self.room])
            self.room -= len(self.kept[-1])
        return len(text)

    def take(self) -> str:
        text = "".join(self.kept)
        self.kept, self.room = [], PRINTED
        return text


def run(shell: Any, source: str, screen: Capped) -> dict[str, Any]:
    result = shell.run_cell(source, store_history=False)
    error = result.error_before_exec or result.error_in_exec
    return {"printed": screen.take(), "error": error_name(error) if error else None}


def call(shell: Any, name: str, inputs: tuple) -> dict[str, Any]:
    function = shell.user_ns.get(name)
    return answer(function, inputs)[0] if callable(function) else {"error": "Undefined"}


def main() -> None:
    requests, replies, process = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"), os.getpid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    screen = sys.stdout = sys.stderr = Capped()  # by a name of its own: a cell may put something else there
    from IPython.core.interactiveshell import InteractiveShell

    shell: Any = InteractiveShell.instance(colors="nocolor")
    shell.history_manager.enabled = False
    screen.take()
    replies.write(encode({"ready": True}).encode() + b"\n")
    replies.flush()
    for line in requests:
        request = decode(line)
        screen.take()
        if "run" in request:
            reply = run(shell, request["run"], screen)
        else:
            reply = call(shell, request["call"], request["inputs"])
        if os.getpid() != process:  # the child of a fork in a cell: its parent gives the reply
            os._exit(0)
        replies.write(encode(reply).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()

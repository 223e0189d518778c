"""Inside the sandbox: runs the cells of a submission in IPython's shell and calls its functions, one request a line.

Started by `sandbox.py` as a script, never imported by the course: `runner.py PRINTED MODULE FOLDER...` keeps so many
characters of what a cell prints, imports the module before it says that it is ready, and finds Python's packages in the
folders. A request is {"run": source of a cell} or one of `network.respond`: {"call": name, "inputs": tuple},
{"build": name, "inputs": tuple}, {"apply": tuple}. Replies are lines of plain data, too. Nothing that this process says
is trusted: it belongs to the student from the first cell on.
"""

import ast
import importlib
import io
import linecache
import os
import re
import select
import subprocess
import sys
from typing import Any

sys.path.insert(0, "/course")
sys.path.insert(0, "")  # the working folder, as in a kernel
sys.path.extend(sys.argv[3:])

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from course_utils.exercises.network import respond
from course_utils.exercises.plain import decode, encode, error_name

PRINTED, MODULE = int(sys.argv[1]), sys.argv[2]
FAILED = 20  # statements of a cell that are named
WHERE = re.compile(r" \(/[^)]*\)")  # where a module lies, at the end of what Python says of it


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


class Shell(InteractiveShell):
    """A shell like a kernel's, without a terminal or a window; it goes on after an import or a magic that failed.

    What a student's machine has and this one has not (a library, a drive, a magic) must not take the rest of the cell
    with it: the statement is noted in `failed`, and so are those that only miss the names that it would have given.
    Any other statement that fails ends its cell, as in a kernel, but for the imports that follow.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.failed: list[dict[str, str]] = []
        self.ended_by: str | None = None
        self.missing: set[str] = set()

    def run(self, source: str) -> dict[str, Any]:
        self.failed, self.ended_by = [], None
        self.body(source)
        return {"error": self.ended_by, "failed": self.failed}

    def body(self, source: str) -> None:
        result = self.run_cell(source, store_history=False)
        error = result.error_before_exec
        if error:  # Python cannot read it: nothing ran
            self.end(error, (getattr(error, "text", None) or "").strip())
        elif result.error_in_exec and not self.ended_by:  # in the shell itself: its event loop, a hook of the student's
            self.end(result.error_in_exec, "")

    def end(self, error: BaseException, line: str) -> None:
        self.ended_by = self.ended_by or error_name(error)
        self.note(error, line)

    def note(self, error: BaseException, line: str) -> None:
        try:
            said = error.msg if isinstance(error, SyntaxError) else str(error)
            words = f"{type(error).__name__}: {WHERE.sub('', said)}".strip(": ")
        except Exception:  # of a class of the student's
            words = error_name(error)
        if len(self.failed) < FAILED:
            self.failed.append({"line": line[:200], "error": words[:200]})

    async def run_ast_nodes(self, nodelist, cell_name, interactivity="last_expr", compiler=compile, result: Any = None):
        ended = False
        nodes = [part for node in nodelist for part in single_imports(node)]
        for node in nodes:
            if ended and not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            shown = interactivity if node is nodes[-1] else "none"
            if not await super().run_ast_nodes([node], cell_name, shown, compiler, result):
                continue
            error: Any = result.error_before_exec or result.error_in_exec
            line = written(node, error, cell_name)
            if self.is_foreign(node, error):
                self.missing |= names(node)
                self.note(error, line)
                result.error_in_exec = None
            else:
                ended = True
                self.end(error, line)
                result.error_before_exec = None  # it is noted; `body` need not
        return ended

    def is_foreign(self, node: ast.stmt, error: BaseException) -> bool:
        """Whether a statement fails for what this machine has not, so that the cell goes on without it."""
        if not isinstance(error, Exception) or isinstance(error, MemoryError):
            return False
        if isinstance(node, (ast.Import, ast.ImportFrom)) or magic(node):
            return True
        return isinstance(error, ImportError) or (isinstance(error, NameError) and error.name in self.missing)

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """A magic that only takes the time, or that nobody knows here: the cell below it runs as any other."""
        known = self.find_cell_magic(magic_name) is not None
        if known and magic_name != "time":
            return super().run_cell_magic(magic_name, line, cell)
        if not known:
            self.note(NameError("this magic is not known here"), f"%%{magic_name} {line}")
        return self.body(cell)

    def system(self, cmd: str) -> None:  # IPython's wants a terminal
        self.user_ns["_exit_code"], text = subprocess.getstatusoutput(self.var_expand(cmd, depth=1))
        print(text)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        from IPython.utils.text import LSString, SList

        text = subprocess.getoutput(self.var_expand(cmd, depth=depth + 1))
        return SList(text.splitlines()) if split else LSString(text)

    def enable_matplotlib(self, gui: str | None = None) -> Any:
        return super().enable_matplotlib("inline")  # there are no windows here

    def enable_gui(self, gui: str | None = None) -> None:
        """Nothing to wait for: no windows."""

    def ask_exit(self) -> None:
        """A cell with exit() at its end is no reason to stop."""


def single_imports(node: ast.stmt) -> list[ast.stmt]:
    """An import of several names as one import for each, so that one that fails takes no other with it."""
    if isinstance(node, ast.Import):
        return [ast.copy_location(ast.Import([name]), node) for name in node.names]
    if isinstance(node, ast.ImportFrom):
        return [ast.copy_location(ast.ImportFrom(node.module, [name], node.level), node) for name in node.names]
    return [node]


def names(node: ast.stmt) -> set[str]:
    """The names that a statement would have bound."""
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    aliases = [part for part in ast.walk(node) if isinstance(part, ast.alias)]
    return found | {alias.asname or alias.name.partition(".")[0] for alias in aliases}


def magic(node: ast.stmt) -> str | None:
    """The text of a magic or of a command of the system, which IPython has turned into a call; None for other code."""
    call = getattr(node, "value", None)
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return None
    before = {"run_line_magic": "%", "run_cell_magic": "%%", "system": "!", "getoutput": "!"}.get(call.func.attr)
    if not before or ast.unparse(call.func.value) != "get_ipython()":
        return None
    words = [word.value for word in call.args[:2] if isinstance(word, ast.Constant)]
    return before + " ".join(map(str, words)).strip()


def written(node: ast.stmt, error: BaseException, cell_name: str) -> str:
    """The line of a cell in which a statement failed."""
    number, place = node.lineno, error.__traceback__
    while place:
        if place.tb_frame.f_code.co_filename == cell_name:
            number = place.tb_lineno
            break
        place = place.tb_next
    return magic(node) or linecache.getline(cell_name, number).strip()


def reply(shell: Shell, request: dict[str, Any], screen: Capped) -> dict[str, Any]:
    """What a request comes to, see the head of this file."""
    if "run" in request:
        return shell.run(request["run"]) | {"printed": screen.take()}
    kind = next(iter(request))
    if kind == "apply":
        return respond(print, kind, request[kind])[0]  # of the network that was built last; no function is called
    function = shell.user_ns.get(request[kind])
    return respond(function, kind, request["inputs"])[0] if callable(function) else {"error": "Undefined"}


def watch_over(runner: int) -> None:
    """The first process of the sandbox, with which all end: buries those that lose their parents, until there is no
    runner or no grader any more.
    """
    grader = select.poll()
    grader.register(0, 0)  # its end of the pipe: heard of only when it is closed
    while not grader.poll(200):
        ended = os.waitpid(-1, os.WNOHANG)[0]
        while ended and ended != runner:
            ended = os.waitpid(-1, os.WNOHANG)[0]
        if ended:
            return


def main() -> None:
    runner = os.fork()
    if runner:
        return watch_over(runner)
    requests, replies, process = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"), os.getpid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    screen = sys.stdout = sys.stderr = Capped()  # by a name of its own: a cell may put something else there
    importlib.import_module(MODULE)
    shell: Any = Shell.instance(colors="nocolor", config=Config(HistoryManager={"enabled": False}))
    screen.take()
    replies.write(encode({"ready": True}).encode() + b"\n")
    replies.flush()
    for line in requests:
        request = decode(line)
        screen.take()
        result = reply(shell, request, screen)
        if os.getpid() != process:  # the child of a fork in a cell: its parent gives the reply
            os._exit(0)
        replies.write(encode(result).encode() + b"\n")
        replies.flush()


if __name__ == "__main__":
    main()

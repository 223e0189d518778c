"""Execute notebooks the way nbval will see them, and store them normalized, so that diffs stay readable."""

import multiprocessing
import os
import signal
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import ipykernel.kernelspec
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbstripout import strip_output

from course_utils import files
from course_utils.setup.quick import environment

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
EXTRA_KEYS = [
    "metadata.widgets",
    "metadata.signature",
    "metadata.language_info.version",
    "cell.metadata.execution",
    "cell.metadata.ExecuteTime",
    "cell.metadata.collapsed",
    "cell.metadata.scrolled",
    "cell.metadata.trusted",
]


class RecordingError(ValueError):
    """A cell failed, or a file is no notebook: one line that names the cell and the error."""


class _ThisPython(KernelSpecManager):
    """Knows one kernel only, that of the running Python, whatever is installed for the user."""

    def get_kernel_spec(self, kernel_name):
        return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())


class _Recorder(NotebookClient):
    """Keeps what nbval compares: no history, and no front end that clears or updates outputs or answers widgets."""

    running = None

    async def async_execute_cell(self, cell, cell_index, execution_count=None, store_history=False):
        self.running = cell
        return await super().async_execute_cell(cell, cell_index, execution_count, store_history=False)

    def process_message(self, msg, cell, cell_index):
        kind = msg["msg_type"]
        if kind.startswith("comm") or kind in ("clear_output", "update_display_data"):
            return None
        msg["content"].pop("transient", None)
        return super().process_message(msg, cell, cell_index)


def execute(notebook, folder, timeout=600):
    """Execute a notebook in place, its kernel in `folder`; `timeout` is in seconds a cell.

    Raises RecordingError with the cell's id, the error's name and its message.
    """
    manager = AsyncKernelManager(kernel_spec_manager=_ThisPython())
    client = _Recorder(notebook, km=manager, timeout=timeout, coalesce_streams=True, record_timing=False)
    try:
        client.execute(cwd=str(folder), env=environment(), stderr=subprocess.DEVNULL, cleanup_kc=True)
    except CellExecutionError as error:
        message = error.evalue.strip().partition("\n")[0]
        raise RecordingError(f"cell {client.running.id}: {error.ename}: {message}") from None
    except CellTimeoutError:
        raise RecordingError(f"cell {client.running.id}: no end after {timeout} s") from None
    except DeadKernelError:
        raise RecordingError(f"cell {client.running.id}: the kernel died") from None
    return notebook


def normalize(notebook):
    """Drop, in place, what differs from machine to machine and from run to run, and keep outputs and counts.

    Widgets lose their model's random id: an empty one tells JupyterLab to show nothing until the cell is run.
    """
    strip_output(notebook, keep_output=True, keep_count=True, keep_id=True, extra_keys=EXTRA_KEYS)
    notebook.metadata["kernelspec"] = dict(KERNELSPEC)
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")
        for output in cell.get("outputs", []):
            if "execution_count" in output:
                output["execution_count"] = cell.execution_count
            if WIDGET in output.get("data", {}):
                output["data"][WIDGET] = {"model_id": "", "version_major": 2, "version_minor": 0}
    return notebook


def write(notebook, path):
    """Store a notebook, only when it differs from what is there; returns whether it did."""
    path = Path(path)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    if path.exists() and path.read_bytes() == text.encode():
        return False
    files.write(path, text)
    return True


def read(path):
    """The notebook in a file. Raises RecordingError if it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        reason = str(error).strip().partition("\n")[0][:100]
        raise RecordingError(f"{path} is not a notebook: {reason}") from None


def run(path, notebook=None):
    """Execute and normalize one notebook; returns it, the seconds that it took, and the CPU-seconds.

    `notebook` takes the place of what is in the file. Raises RecordingError if that is no notebook, or a cell fails.
    """
    started, before = time.perf_counter(), os.times()
    notebook = notebook or read(path)
    normalize(execute(notebook, Path(path).parent))
    after = os.times()
    return notebook, time.perf_counter() - started, sum(after[:4]) - sum(before[:4])


def record(path, notebook=None):
    """Run one notebook and store it; returns whether the file changed, seconds, and CPU-seconds.

    Raises RecordingError as `run` does, and leaves the file as it was then.
    """
    notebook, seconds, cpu = run(path, notebook)
    return write(notebook, path), seconds, cpu


def record_all(notebooks, jobs=2):
    """Record notebooks, `jobs` at a time, with a line each; returns the number of those that failed.

    `notebooks`: for each path the notebook to put there, or None for the one that is there. Files are written by this
    process alone, so that an interruption leaves each as it was, or recorded.
    """
    failed = 0
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:  # none inherits an open connection
        ours = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the processes inherit it: of Ctrl-C this one speaks
        futures = {path: pool.submit(run, path, notebook) for path, notebook in notebooks.items()}
        signal.signal(signal.SIGINT, ours)
        try:
            for path, future in futures.items():
                name = os.path.relpath(path)
                try:
                    notebook, seconds, cpu = future.result()
                except RecordingError as error:
                    failed += 1
                    print(f"{name}: failed, {error}", flush=True)
                else:
                    outcome = "changed" if write(notebook, path) else "same"
                    print(f"{name}: {seconds:.1f} s, CPU {cpu:.1f} s, {outcome}", flush=True)
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.kill()  # its kernel ends by itself, having lost its parent
            raise
    return failed

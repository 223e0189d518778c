"""Execute notebooks the way nbval will see them, and store them normalized, so that diffs stay readable."""

import multiprocessing
import os
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


class RecordingError(Exception):
    """A cell failed: one line that names the notebook, the cell and the error."""


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
    """Store a notebook by atomic rename, only when it differs from what is there; returns whether it did."""
    path = Path(path)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT).rstrip("\n") + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return True


def record(path, notebook=None):
    """Execute, normalize and store one notebook; returns whether the file changed, seconds, and CPU-seconds.

    `notebook` takes the place of what is in the file so far. Raises RecordingError and leaves the file as it was, if
    a cell fails.
    """
    path = Path(path)
    started, before = time.perf_counter(), os.times()
    notebook = notebook or nbformat.read(path, as_version=4)
    execute(notebook, path.parent)
    changed = write(normalize(notebook), path)
    after = os.times()
    return changed, time.perf_counter() - started, sum(after[:4]) - sum(before[:4])


def record_all(notebooks, jobs=2):
    """Record notebooks, `jobs` at a time, with a line each; returns the number of those that failed.

    `notebooks`: for each path the notebook to put there, or None for the one that is there.
    """
    failed = 0
    # Each process signals its own kernel when it is interrupted; spawned, so that none inherits an open connection.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        futures = {path: pool.submit(record, path, notebook) for path, notebook in notebooks.items()}
        for path, future in futures.items():
            name = os.path.relpath(path)
            try:
                changed, seconds, cpu = future.result()
            except RecordingError as error:
                failed += 1
                print(f"{name}: failed, {error}", flush=True)
            else:
                outcome = "changed" if changed else "same"
                print(f"{name}: {seconds:.1f} s, CPU {cpu:.1f} s, {outcome}", flush=True)
    return failed

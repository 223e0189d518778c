"""The kernels that the tests fork differ from those that are started in nothing but the seconds that it takes."""

import os
import sys

import pytest
from forks import Kernel, launch_kernel
from jupyter_client.provisioning import local_provisioner
from nbformat.v4 import new_code_cell, new_notebook

from course_utils.authors.record import execute
from course_utils.setup.quick import environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kernels are forked on POSIX systems only")
LOOK = """
import os, sys
print("torch" in globals(), "torch" in sys.modules, os.getcwd(), os.getpgrp() == os.getpid(), sys.argv[1])
print([folder for folder in sys.path if folder.endswith("tests")], os.environ.get("ONLY_HERE"))
print(os.read(0, 1), "EOF")
import matplotlib.pyplot as plt
plt.plot([1, 2])
"""


def seen(tmp_path):
    """What a cell prints, and the kinds of what it displays besides."""
    notebook = new_notebook(cells=[new_code_cell(LOOK, id="look")])
    execute(notebook, tmp_path)
    printed, *shown = notebook.cells[0].outputs
    return printed.text.splitlines(), [set(output.data) for output in shown]


def test_a_forked_kernel_is_in_its_folder_its_group_and_environment_and_draws_inline(tmp_path, monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "yes")
    forked = []
    monkeypatch.setattr(Kernel, "__init__", lambda *given, real=Kernel.__init__: forked.append(real(*given)))
    assert local_provisioner.launch_kernel is launch_kernel
    (first, *others), shown = seen(tmp_path)
    assert len(forked) == 1 and first == f"False True {tmp_path} True -f"
    assert others == ["[] yes", "b'' EOF"] and {"image/png", "text/plain"} in shown


def test_another_command_is_started_as_ever(tmp_path):
    process = launch_kernel([sys.executable, "-c", "import os; print(os.getcwd())"], env=environment(), cwd=tmp_path)
    assert process.wait() == 0 and not isinstance(process, Kernel)

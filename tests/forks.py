"""Processes forked from one that has already imported what takes seconds: notebooks' kernels, and runs side by side."""

import multiprocessing
import os
import signal
import sys
import time

from jupyter_client import launcher
from jupyter_client.provisioning import local_provisioner
from nbval.plugin import IPyNbFile

CONTEXT = multiprocessing.get_context("forkserver" if os.name != "nt" else "spawn")
PRELOADED = ["ipykernel.kernelapp", "ipywidgets", "matplotlib.pyplot", "PIL.Image", "sklearn.datasets", "torch._dynamo"]
CONTEXT.set_forkserver_preload(PRELOADED)


class Kernel:
    """What jupyter_client uses of the subprocess.Popen that it would make, for a forked kernel."""

    stdin = stdout = stderr = None

    def __init__(self, words, env, cwd):
        self.process = CONTEXT.Process(target=_kernel, args=(words, dict(env), cwd))
        self.process.start()
        self.pid = self.process.pid
        while os.getpgid(self.pid) != self.pid:  # else signals meant for its group would end pytest's
            time.sleep(0.001)

    def poll(self):
        return self.process.exitcode

    def wait(self):
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)


def launch_kernel(command, env=None, cwd=None, **options):
    """In place of jupyter_client's: the kernel of this Python is forked; any other command is started as ever."""
    if command[:3] != [sys.executable, "-m", "ipykernel_launcher"]:
        return launcher.launch_kernel(command, env=env, cwd=cwd, **options)
    return Kernel(command[2:], os.environ if env is None else env, cwd)


def _kernel(words, env, cwd):
    """What `python -m ipykernel_launcher` does, in the environment that such a process has."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(quiet, number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd or ".")
    sys.argv = words
    sys.path[:] = [folder for folder in sys.path if folder != os.path.dirname(__file__)]
    import matplotlib
    from ipykernel import kernelapp

    matplotlib.rcParams["backend"] = "module://matplotlib_inline.backend_inline"  # as if it were imported after this
    kernelapp.launch_new_instance()


def fork_kernels():
    """From now on, kernels that this process starts are forked, but for notebooks that look at what is imported."""

    def setup(self, real=IPyNbFile.setup):
        if "sys.modules" in self.path.read_text(encoding="utf-8"):
            local_provisioner.launch_kernel = launcher.launch_kernel
        try:
            real(self)
        finally:
            local_provisioner.launch_kernel = launch_kernel

    if os.name != "nt":
        local_provisioner.launch_kernel = launch_kernel
        IPyNbFile.setup = setup

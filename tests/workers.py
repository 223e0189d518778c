"""Processes of one run, with the environment that torchrun gives them, forked from one that has torch already."""

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import torch
from runs import make_small
from torch import distributed

from course_utils.__main__ import main
from course_utils.datasets.batches import Batches

CONTEXT = multiprocessing.get_context("forkserver" if os.name != "nt" else "spawn")


class Crew:
    """`size` processes that each call the command line's `train` with these words, on a hundred images.

    What all of them print lies in files beside `folder`. `fault`: see `arrange`.
    """

    def __init__(self, size, folder, *words, fault=None, model="lenet5_simple"):
        self.folder, self.size = folder, size
        self.out, self.err = (Path(f"{folder}.{name}") for name in ("out", "err"))
        for file in (self.out, self.err):
            file.write_text("")
        self.store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        words = ["train", model, "--data", "digits", "--out", folder, "--epochs", "4", *words]
        CONTEXT.set_forkserver_preload(["course_utils.training", "sklearn.datasets", "torch._dynamo"])
        self.processes = []
        for rank in range(size):
            arguments = (self.environment(rank), [str(word) for word in words], fault, self.out, self.err)
            self.processes.append(CONTEXT.Process(target=_work, args=arguments))
            self.processes[-1].start()

    def environment(self, rank):
        return {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(self.size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self.store.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }

    def ends(self):
        """Their exit codes, once all have ended."""
        for process in self.processes:
            process.join(60)
        codes = [process.exitcode for process in self.processes]
        for process in self.processes:
            process.kill()
        return codes

    def lines(self):
        """What was said on standard error."""
        return [line for line in self.err.read_text().splitlines() if line.strip()]


def _work(environment, words, fault, out, err):
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server that this is forked from ignores it
    os.environ.update(environment)
    torch.set_num_threads(1)
    make_small()
    if fault:
        arrange(*fault)
    code = main(words)
    sys.stdout.flush()
    sys.exit(code)


def arrange(kind, rank, batch):
    """Let something happen to one process at one of its training batches, counted from 1. "seen": only look on."""
    real, count, epoch, here = Batches.batch, 0, Batches.epoch, os.environ["RANK"]

    def numbered(batches, number, *given):
        batches.number = number
        return epoch(batches, number, *given)

    def watched(batches, chosen, shifts=None, *given):
        nonlocal count
        images, labels = real(batches, chosen, shifts, *given)
        if shifts is not None:
            count += 1
            print("\n" + json.dumps({"epoch": batches.number, "seen": chosen.tolist()}), flush=True)
            if count == batch and rank in (int(here), "all"):
                if kind == "nan":
                    images = images * float("nan")
                elif kind != "seen":
                    os.kill(os.getpid(), getattr(signal, kind))
        return images, labels

    Batches.batch, Batches.epoch = watched, numbered


if __name__ == "__main__":  # as torchrun starts it: killed in its first life, in the third epoch
    make_small()
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        arrange("SIGKILL", 1, 13)
    sys.exit(main(sys.argv[1:]))

"""Several processes at one run: how many torchrun started."""

import os


def world_size() -> int:
    """How many processes share this run: 1. ValueError where torchrun started several, for they cannot yet."""
    text = os.environ.get("WORLD_SIZE", "1")
    if text.strip() not in ("", "1"):
        if os.environ.get("RANK", "0") != "0":
            raise SystemExit(2)  # one of them says it
        raise ValueError(
            f"WORLD_SIZE is {text!r}: a run takes one process; "
            "call python -m course_utils train without torchrun, or with --nproc-per-node 1"
        )
    return 1

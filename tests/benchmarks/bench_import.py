"""How long `import course_utils` takes, beside `import numpy`, each in a fresh interpreter: median of 7."""

import statistics
import subprocess
import sys


def seconds(module):
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(7)]
    return statistics.median(runs)


def test_import():
    ours, numpy = seconds("course_utils"), seconds("numpy")
    print(f"\nimport course_utils: {ours * 1000:.1f} ms ({ours / numpy:.3f} of import numpy)")
    assert ours < 0.2 * numpy  # about 0.2 s on a machine that takes a second for NumPy; it loads nothing, so far less

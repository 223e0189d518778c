"""From a key on a slider to the changed picture, in JupyterLab in headless Chromium: median of all sliders' keys."""

import statistics

from browser import jupyterlab
from notebook_rules import FOLDER

ROUNDS = 3  # for each slider: a key and back


def test_key_to_picture(chromium, tmp_path):
    with jupyterlab(chromium, tmp_path) as lab:
        page = lab.open(FOLDER / "02_initialization.ipynb")
        page.run_all()
        times = []
        for explorer in page.explorers():
            for slider in range(explorer.locator(".widget-slider").count()):
                times += [ms for _ in range(ROUNDS) for ms in page.move(explorer, slider)]
    print(f"\nkey to picture: median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms, of {len(times)}")
    assert statistics.median(times) < 300

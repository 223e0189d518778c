"""Pictures of nonlinearities."""

import numpy as np

from course_utils.figures.style import COLORS


def softmax_bars(activations, probabilities, factor):
    """SVG: activations as bars on the left, what a softmax of `factor` times them gives on the right; largest marked."""
    activations, probabilities = np.asarray(activations), np.asarray(probabilities)
    largest = int(activations.argmax())
    row, middle, reach = 34, 170, 110
    height = 60 + row * len(activations)
    unit = reach / max(1e-12, np.abs(activations).max())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 {height}" width="680" height="{height}" '
        f'style="background: white; max-width: 100%" font-family="sans-serif" font-size="15" fill="{COLORS["ink"]}">',
        f'<text x="{middle}" y="24" text-anchor="middle">activations a</text>',
        f'<text x="340" y="24">softmax({factor:g} a)</text>',
        f'<line x1="{middle}" y1="36" x2="{middle}" y2="{height - 12}" stroke="{COLORS["grey"]}"/>',
        f'<line x1="340" y1="36" x2="340" y2="{height - 12}" stroke="{COLORS["grey"]}"/>',
    ]
    for k, (a, p) in enumerate(zip(activations, probabilities, strict=True)):
        y = 42 + k * row
        colour = COLORS["orange"] if k == largest else COLORS["blue"]
        left = min(middle, middle + unit * a)
        parts += [
            f'<rect x="{left:.1f}" y="{y}" width="{unit * abs(a):.1f}" height="22" fill="{colour}"/>',
            f'<text x="8" y="{y + 16}">{a:+.1f}</text>',
            f'<rect x="340" y="{y}" width="{250 * p:.1f}" height="22" fill="{colour}"/>',
            f'<text x="{348 + 250 * p:.1f}" y="{y + 16}">{p:.3f}</text>',
        ]
    return "".join(parts) + "</svg>"

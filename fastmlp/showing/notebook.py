"""The HTML that a notebook shows for a net: its repr and, for one input, a small drawing of its curve."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from fastmlp.nets.net import Net

WIDTH, HEIGHT, MARGIN = 280, 120, 6
POINTS = 400
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd")


def html(net: Net) -> str:
    """Return the HTML, which needs neither scripts nor a plotting library."""
    drawing = _curve(net) if net.n_in == 1 and net.x_range is not None else ""
    return f"<div><code>{escape(repr(net))}</code>{drawing}</div>"


def _curve(net: Net) -> str:
    assert net.x_range is not None
    low, high = net.x_range[0]
    x = np.linspace(low, high, POINTS)
    y = net.predict(x).reshape(POINTS, -1).astype(np.float64)
    bottom, top = y.min(), y.max()
    across = np.linspace(MARGIN, WIDTH - MARGIN, POINTS)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(top > bottom, (y - bottom) / (top - bottom), 0.5)
    down = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share
    lines = []
    for k in range(min(net.n_out, len(COLORS))):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down[:, k], strict=True))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[k]}" stroke-width="1.5"/>')
    x_name = escape(net.feature_names[0]) if net.feature_names else "x"
    y_name = escape(net.target_names[0]) if net.target_names and net.n_out == 1 else "y"
    label = f"{x_name} from {_ends(float(low), float(high))}, {y_name} from {_ends(float(bottom), float(top))}"
    return (
        f'<br><svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" style="background:#fff;border:1px solid #ccc">'
        f"<title>{label}</title>{''.join(lines)}</svg><br><small>{label}</small>"
    )


def _ends(low: float, high: float) -> str:
    """Return "low to high" with enough digits to tell them apart."""
    span, size = high - low, max(abs(low), abs(high))
    digits = 4 + max(0, math.ceil(math.log10(size / span))) if 0 < span < math.inf else 4
    return f"{low:.{digits}g} to {high:.{digits}g}"

"""What a notebook shows of a model: a line of facts and, for one input, a small drawing of the curve."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fastmlp.models.model import Model

WIDTH, HEIGHT, MARGIN = 280, 120, 6
POINTS = 400
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd")


def html(model: Model) -> str:
    """Return the model as HTML that needs neither scripts nor a drawing library."""
    drawing = _curve(model) if model.n_in == 1 and model.x_range is not None else ""
    return f"<div><code>{escape(repr(model))}</code>{drawing}</div>"


def _curve(model: Model) -> str:
    assert model.x_range is not None
    low, high = model.x_range[0]
    x = np.linspace(low, high, POINTS)
    y = model.predict(x).reshape(POINTS, -1).astype(np.float64)
    bottom, top = y.min(), y.max()
    across = np.linspace(MARGIN, WIDTH - MARGIN, POINTS)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(top > bottom, (y - bottom) / (top - bottom), 0.5)
    down = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share
    lines = []
    for k in range(min(model.n_out, len(COLORS))):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down[:, k], strict=True))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{COLORS[k]}" stroke-width="1.5"/>')
    label = f"x from {_ends(float(low), float(high))}, y from {_ends(float(bottom), float(top))}"
    return (
        f'<br><svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" style="background:#fff;border:1px solid #ccc">'
        f"<title>{label}</title>{''.join(lines)}</svg><br><small>{label}</small>"
    )


def _ends(low: float, high: float) -> str:
    """Return "low to high" with as many digits as tell them apart."""
    span, size = high - low, max(abs(low), abs(high))
    digits = 4 + max(0, math.ceil(math.log10(size / span))) if 0 < span < math.inf else 4
    return f"{low:.{digits}g} to {high:.{digits}g}"

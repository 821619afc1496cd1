"""The picture of the comparison: how much better FastMLPRegressorCV is than each method on each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from rivals import CV
from summary import by_method, differences, order_of_methods

LIMIT = 0.3  # differences beyond it are drawn at the edge
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}


def draw(scores: Sequence[Mapping[str, Any]], rows: Mapping[str, int], path: Path) -> None:
    """Draw a row of points for each method, one point for each table, and the means as lines."""
    r2 = by_method(scores, "r2")
    order = order_of_methods(r2, rows)
    methods = [method for method in order if method != CV and differences(r2, method, rows).size][::-1]
    with mpl.rc_context(STYLE):
        figure, ax = plt.subplots(figsize=(4.8, 0.9 + 0.3 * len(methods)), layout="constrained")
        for height, method in enumerate(methods):
            gaps = differences(r2, method, rows)
            inside = np.abs(gaps) <= LIMIT
            ax.plot(gaps[inside], np.full(inside.sum(), height), "o", color="C0", alpha=0.6, markersize=5)
            for side, marker in ((gaps < -LIMIT, "<"), (gaps > LIMIT, ">")):
                edge = np.clip(gaps[side], -LIMIT, LIMIT)
                ax.plot(edge, np.full(side.sum(), height), marker, color="C0", alpha=0.6)
            mean = np.clip(gaps.mean(), -LIMIT, LIMIT)
            ax.plot([mean, mean], [height - 0.35, height + 0.35], color="black", linewidth=2)
        ax.axvline(0, color="grey", linewidth=1, zorder=0)
        ax.set_yticks(range(len(methods)), methods)
        ax.set_xlim(-LIMIT * 1.05, LIMIT * 1.05)
        ax.set_xlabel("R² of FastMLPRegressorCV\nminus that of the method")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)
    plt.close(figure)

"""The figure of `univariate.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.rivals import REPORT
from benchmarks.univariate_methods import AUTO, DENSE

STYLES: dict[str, dict[str, Any]] = {  # in the order of the legend
    REPORT: {"color": "C3", "marker": "D"},
    DENSE: {"color": "C1", "marker": "s"},
    "prefix sums": {"color": "C2", "marker": "^"},
    "pattern moments": {"color": "C0", "marker": "o"},
    "stretches": {"color": "C4", "marker": "v"},
    AUTO: {"color": "black", "linestyle": "--", "linewidth": 1, "label": "the engine's choice"},
}


def draw(results: dict[str, Any], note: str, path: Path) -> None:
    """Draw the time per epoch of each method against units and against samples, on shared logarithmic axes."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), sharey=True, layout="constrained")
    fixed = {"units": "N = 100 samples", "samples": "H = 1,000 units"}
    for ax, (axis, points) in zip(axes, results.items(), strict=True):
        for name, style in STYLES.items():
            known = [point for point in points if name in point["seconds"]]
            times = [1e6 * point["seconds"][name] for point in known]
            ax.loglog([point["size"] for point in known], times, **{"label": name, "markersize": 5} | style)
        ax.set(xlabel=axis, title=fixed[axis])
        ax.grid(alpha=0.3)
    axes[0].set(ylabel="microseconds per epoch")
    axes[0].legend(fontsize="small")
    figure.suptitle(
        "Full-batch gradient descent on y = sin x, float64, one core, lr 0.1 / lambda_max, after 1,000 epochs"
    )
    figure.supxlabel(note, fontsize="small")
    figure.savefig(path, dpi=150)
    plt.close(figure)

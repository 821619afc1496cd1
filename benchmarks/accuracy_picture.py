"""The figure of `accuracy.py`: error against time, one axes for each problem."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.accuracy_runs import medians
from benchmarks.accuracy_tables import curves_of

N_COLUMNS = 4
LOWEST = 1e-9  # shown; errors below are those of rounding
STYLES: dict[str, dict[str, Any]] = {  # in the order of the legend
    "descent": {"color": "C7", "marker": "o"},
    "momentum": {"color": "C0", "marker": "o"},
    "Adam": {"color": "C1", "marker": "o"},
    "L-BFGS": {"color": "C2", "linewidth": 2},
    "lstsq": {"color": "C4", "marker": "s"},
    "fit_knots": {"color": "C3", "marker": "*", "markersize": 12},
    "scikit-learn lbfgs": {"color": "C2", "linestyle": "--"},
    "scikit-learn adam": {"color": "C1", "linestyle": "--"},
    "SciPy L-BFGS-B": {"color": "C5", "linestyle": "--"},
    "PyTorch Adam": {"color": "C1", "linestyle": ":"},
    "PyTorch L-BFGS": {"color": "C2", "linestyle": ":"},
    "pwlf": {"color": "C3", "marker": "P"},
    "splrep": {"color": "C8", "marker": "x"},
    "LSQUnivariateSpline": {"color": "C9", "marker": "+"},
}


def draw(problems: dict[str, Any], note: str, path: Path) -> None:
    """Draw the medians over the seeds on logarithmic axes."""
    n_rows = -(-len(problems) // N_COLUMNS)
    figure, axes = plt.subplots(n_rows, N_COLUMNS, figsize=(16, 3.6 * n_rows + 1), layout="constrained", squeeze=False)
    for ax, (name, problem) in zip(axes.flat, problems.items(), strict=False):
        for method, style in STYLES.items():
            if method in problem["methods"]:
                curves = curves_of(problem, method)
                times = sorted({seconds for curve in curves for seconds in curve.seconds})
                errors = [np.nan if rmse is None else max(rmse, LOWEST) for rmse in medians(curves, times)]
                ax.loglog(times, errors, **{"label": method, "markersize": 5} | style)
        ax.set(title=f"{name} ({problem['n_samples']:,} samples, {problem['hidden']:,} units)")
        ax.title.set_fontsize("medium")
        ax.grid(alpha=0.3)
    for ax in axes.flat[len(problems) :]:
        ax.set_axis_off()
    handles = {label: line for ax in axes.flat for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    ordered = {name: handles[name] for name in STYLES if name in handles}
    figure.legend(ordered.values(), ordered.keys(), loc="outside upper center", ncols=7)
    figure.supylabel("RMSE on the samples")
    figure.supxlabel(f"seconds of one thread\n{note}", fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)

"""The runs of the report, the values that it printed, and how to repeat them. This module is imported, not run.

The report fits y = sin x at 100 points of [-pi, pi] with a two-layer ReLU net that has a hidden bias and no output
bias. It states the settings of the run with H = 1000 only. Here all runs use these settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import fastmlp

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One run of the report and the last RMSE that it printed."""

    hidden: int
    epochs: int
    reported: float

    def __str__(self) -> str:
        return f"H = {self.hidden:,}, {self.epochs:,} epochs"


X = np.linspace(-np.pi, np.pi, 100)
Y = np.sin(X)
SETTINGS: dict[str, Any] = {"init": 0.3, "lr": 1e-5, "output_bias": False, "dtype": np.float64, "progress": False}
RUNS = (
    Run(500, 2000, 0.4758),
    Run(500, 4000, 0.3598),
    Run(500, 8000, 0.2988),
    Run(500, 32000, 0.1943),
    Run(1000, 32000, 0.1893),
)
REPORTED_CURVE = {  # RMSE by epoch, as printed in the run of H = 1000
    0: 2.6048,
    1: 2.6002,
    10: 2.5594,
    100: 2.1880,
    500: 1.1451,
    1000: 0.6492,
    1500: 0.5161,
    2000: 0.4799,
    3000: 0.4503,
    4000: 0.4283,
    6000: 0.3921,
    8000: 0.3627,
    12000: 0.3165,
    16000: 0.2803,
    20000: 0.2508,
    24000: 0.2264,
    28000: 0.2062,
    31999: 0.1893,
}


def train(run: Run, seed: int, *, hidden_bias: bool = True) -> fastmlp.Model:
    """Train a run. Runs of the same width start from the same weights, so they differ only by their epochs."""
    rng = np.random.default_rng([run.hidden, seed])
    return fastmlp.fit(X, Y, hidden=run.hidden, epochs=run.epochs, rng=rng, hidden_bias=hidden_bias, **SETTINGS)


def final_rmse(models: Sequence[fastmlp.Model]) -> FloatArray:
    """Return the RMSE before the last update, which is the last one that the report printed."""
    return np.array([model.history.rmse[-2] for model in models])


def half_lines_rmse() -> float:
    """Return the RMSE of the best net without biases: least squares on relu(x) and relu(-x)."""
    features = np.maximum(np.column_stack([X, -X]), 0)
    weights = np.linalg.lstsq(features, Y)[0]
    return float(np.sqrt(np.mean((features @ weights - Y) ** 2)))

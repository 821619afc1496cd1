"""Functions for all experiments: options, the printed line, and plots of nets with one input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported

import matplotlib
import numpy as np
import numpy.typing as npt

import fastmlp

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FloatArray = npt.NDArray[np.float64]


def options(description: str | None, name: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse --full, --seed and --out, and create the folder."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--full", action="store_true", help="run with the published sizes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/experiments") / name, help="folder of the figures")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    return args


def print_line(what: str, seconds: float, steps: float, authors_seconds: float, *facts: str) -> None:
    """Print the time of fastmlp, and that of the authors' loop for the same number of steps on a similar machine."""
    ratio = float(f"{authors_seconds / seconds:.2g}")
    times = f"{steps:,.0f} steps in {duration(seconds)}, authors' loop {duration(authors_seconds)} ({ratio:,g} x)"
    print("; ".join([f"{what}: {times}", *facts]))
    sys.stdout.flush()


def facts_of(model: fastmlp.Model) -> tuple[str, ...]:
    """Return the facts that explain the time of a net, as text."""
    info = model.info
    live = "unknown" if info.live_units is None else f"{info.live_units:,} of {model.n_hidden:,}"
    return f"{info.crossings:,} crossings", f"live units {live}", f"RMSE {model.history.rmse[-1]:.4g}", info.method


def duration(seconds: float) -> str:
    """Return seconds as text in a suitable unit."""
    for size, unit in ((3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:,.3g} {unit}"
    return f"{seconds * 1e3:.0f} ms"


def geometric_steps(last: int, ratio: float) -> list[int]:
    """Return 0, 1, and then int(ratio * previous) + 1 repeatedly; the last step is added."""
    steps = [0, 1]
    while steps[-1] < last:
        steps.append(int(ratio * steps[-1]) + 1)
    return [*(step for step in steps if step < last), last]


def stages(model: fastmlp.Model, before: int, after: int) -> list[tuple[int, fastmlp.Model]]:
    """Choose snapshots that show changes, and the last one.

    Some are from the time before the error falls, while units align: from the second half of that time on a logarithmic
    scale. The others are evenly spaced in the error while it falls.
    """
    history = model.history
    steps = np.array(sorted(history.snapshots))
    error = np.interp(steps, history.epoch, history.rmse)
    left = (error - error.min()) / (error[0] - error.min())
    still = int(np.argmax(left < 0.99))
    chosen = {round(place) for place in np.linspace(still / 2, still, before, endpoint=False)}
    chosen |= {int(np.argmin(np.abs(left - share))) for share in np.linspace(1, 0, after + 1)[1:-1]}
    return [(int(step), history.snapshots[step]) for step in steps[sorted({*chosen, len(steps) - 1})]]


def draw_neurons(ax: Axes, step: int, model: fastmlp.Model) -> None:
    """Draw each unit as the point (w1, b1) on a polar axis, coloured by the sign of w2."""
    angle, length = np.arctan2(model.b1, model.w1[0]), np.hypot(model.b1, model.w1[0])
    colours = np.where(model.w2[:, 0] > 0, "C3", "C0")
    mixed = np.random.default_rng(0).permutation(len(angle))  # otherwise one colour hides the other
    ax.scatter(angle[mixed], length[mixed], s=2, c=colours[mixed], linewidths=0, rasterized=True)
    radius = 1.05 * length.max()
    ax.set(xticklabels=[], yticks=[], ylim=(0, radius), axisbelow=True)
    ax.set_title(f"step {step:,}\nradius {radius:.1g}", fontsize=9)


def draw_function(ax: Axes, model: fastmlp.Model, x: FloatArray, y: FloatArray, *, margin: float = 0.1) -> None:
    """Draw the net and the data."""
    room = margin * (x.max() - x.min())
    curve = np.linspace(x.min() - room, x.max() + room, 1001)
    ax.plot(curve, model.predict(curve), color="C0", lw=1.2, label="net")
    ax.plot(x, y, "o", ms=3, color="0.3", label="data")


def draw_loss(ax: Axes, models: Mapping[str, fastmlp.Model], title: str = "") -> None:
    """Draw the mean squared error against the step."""
    for label, model in models.items():
        step = np.unique(np.geomspace(1, len(model.history.epoch) - 1, 2000).astype(int))
        ax.loglog(model.history.epoch[step], model.history.rmse[step] ** 2, lw=1, label=label)
    ax.set(xlabel="step", ylabel="mean squared error", title=title)
    if len(models) > 1:
        ax.legend(fontsize=8)


def save(figure: Figure, path: Path) -> None:
    """Save a figure and close it."""
    figure.savefig(path, dpi=130)
    plt.close(figure)

"""The runs of approximation.py and their results. This module is imported, not run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from typing import Any

import numpy as np
import numpy.typing as npt
from fit_function import evaluate
from formula import Formula
from tqdm import tqdm

import fastmlp

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

POINTS = 100  # points of the training grid, as in the report
PER_DECADE = 40  # recorded epochs per decade
FINE = 10_000  # points of the fine grid
BORNE = 0.99  # share of the squared error, see Curve.bearers
STEADY = 0.1  # relative to the automatic rate, for functions with jumps and for unknown ones
STEADIER = 0.03  # relative rate at which the sawtooth stays stable for all its epochs
FINE_PER_DECADE = 2  # epochs per decade at which the error on the fine grid is computed


@dataclass(frozen=True)
class Run:
    """One run: a multiple of the automatic rate, and the number of points of the fine grid.

    The error on the fine grid is computed during training (along_the_way) or only at the end.
    """

    formula: str
    epochs: int
    rate: float
    seed: int
    hidden: int = 1000
    fine: int = FINE
    along_the_way: bool = True

    @property
    def fine_epoch(self) -> IntArray:
        """The epochs at which the error on the fine grid is computed."""
        return decades(self.epochs, FINE_PER_DECADE) if self.along_the_way else np.array([self.epochs])


@dataclass(frozen=True, eq=False)
class Curve:
    """The errors and the cost of a run.

    Attributes
    ----------
    run : Run
        The run.
    epoch, rmse, crossings : ndarray, shape (n,)
        RMSE on the training grid and crossings so far, at `PER_DECADE` epochs of each decade.
    fine_epoch, fine_rmse : ndarray, shape (m,)
        RMSE on the fine grid, at `FINE_PER_DECADE` epochs of each decade or only at the end.
    bearers : int
        Smallest number of samples that together contribute the share `BORNE` of the squared error at the end.
    sharpness : float
        Learning rate times lambda_max at the end; lambda_max is the largest eigenvalue of the Gauss-Newton matrix.
    live_units : int or None
        Units that may cross a sample in the next epochs, at the end; None if the method does not count them.
    seconds, cpu_seconds : float
        Wall-clock time of the fit, and processor time of its thread.
    """

    run: Run
    epoch: IntArray
    rmse: FloatArray
    crossings: IntArray
    fine_epoch: IntArray
    fine_rmse: FloatArray
    bearers: int
    sharpness: float
    live_units: int | None
    seconds: float
    cpu_seconds: float

    @property
    def ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The ranges of epochs over which slopes are fitted: the last decade, and the two decades before it."""
        last = self.run.epochs
        return (last / 1000, last / 10), (last / 10, last)

    def rmse_at(self, epoch: float) -> float:
        """Return the RMSE on the training grid at the recorded epoch nearest to the given one."""
        return float(self.rmse[np.abs(self.epoch - epoch).argmin()])


@dataclass(frozen=True, eq=False)
class WidthSeries:
    """Curves of runs that differ only by width and seed, ordered by width and then by seed."""

    curves: list[list[Curve]]

    @property
    def run(self) -> Run:
        """The run with the smallest width, which has the settings of all."""
        return self.curves[0][0].run

    @property
    def widths(self) -> IntArray:
        """The numbers of units."""
        return np.array([curves[0].run.hidden for curves in self.curves])

    @property
    def ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The range of widths over which slopes are fitted."""
        return (10, 300), (1000, 100_000)

    def rmse(self, epoch: float) -> FloatArray:
        """Return the RMSE on the training grid after a number of epochs, shape (widths, seeds)."""
        return np.array([[curve.rmse_at(epoch) for curve in curves] for curves in self.curves])

    def fine_rmse(self) -> FloatArray:
        """Return the RMSE on the fine grid at the end, shape (widths, seeds)."""
        return np.array([[curve.fine_rmse[-1] for curve in curves] for curves in self.curves])


def rate_text(rate: float) -> str:
    """Return the rate as text."""
    return "automatic rate" if rate == 1 else f"{rate:g} of the automatic rate"


def grid(n: int) -> FloatArray:
    """Return n equally spaced points of [-pi, pi], both ends included."""
    return np.linspace(-np.pi, np.pi, n)


def samples(formula: str, n: int) -> tuple[FloatArray, FloatArray]:
    """Return a grid of n points and the values of the function there."""
    x = grid(n)
    return x, evaluate(Formula(formula), x)


def joined_samples_rmse(formula: str, n: int) -> float:
    """Return the RMSE, at n points, of the straight lines between the training samples."""
    x, y = samples(formula, n)
    return float(np.sqrt(np.mean((np.interp(x, *samples(formula, POINTS)) - y) ** 2)))


def bearers(error: FloatArray) -> int:
    """Return the smallest number of errors that contribute the share `BORNE` of the sum of squares."""
    squares = np.sort(error**2)[::-1]
    return 1 + int(np.searchsorted(np.cumsum(squares), BORNE * squares.sum()))


def automatic_rate(x: FloatArray, y: FloatArray, model: fastmlp.Model) -> float:
    """Return the automatic rate, 1 / lambda_max, at the weights of a model."""
    weights = (model.w1, model.b1, model.w2, model.b2)
    return fastmlp.fit(x, y, init=weights, standardize=True, epochs=1, progress=False).info.lr


def decades(last: int, per_decade: int) -> IntArray:
    """Return a geometric sequence from 1 to last, rounded to integers."""
    return np.unique(np.geomspace(1, last, 1 + round(per_decade * np.log10(last))).round().astype(np.int64))


def train(run: Run, on_epochs: Callable[[fastmlp.CallbackInfo], bool]) -> Curve:
    """Train the net of a run with the defaults of `fit`, except for the rate."""
    x, y = samples(run.formula, POINTS)
    call: dict[str, Any] = {"hidden": run.hidden, "rng": run.seed, "progress": False}
    if run.rate != 1:
        automatic = fastmlp.fit(x, y, epochs=1, **call).info.lr
        call |= {"lr": run.rate * automatic, "standardize": True}  # the coordinates that the automatic rate is of
    started = time.thread_time()
    model = fastmlp.fit(x, y, epochs=run.epochs, snapshots=run.fine_epoch, callback=on_epochs, **call)
    cpu_seconds = time.thread_time() - started
    history = model.history
    assert history.crossings is not None
    kept = np.unique(np.searchsorted(history.epoch, decades(run.epochs, PER_DECADE)))
    fine = samples(run.formula, run.fine)
    return Curve(
        run,
        history.epoch[kept],
        history.rmse[kept],
        history.crossings[kept],
        run.fine_epoch,
        np.array([history.snapshots[epoch].rmse(*fine) for epoch in run.fine_epoch.tolist()]),
        bearers(model.predict(x) - y),
        model.info.lr / automatic_rate(x, y, model),
        model.info.live_units,
        model.info.fit_seconds,
        cpu_seconds,
    )


@dataclass
class Progress:
    """A progress bar over the epochs of all runs. When it is stopped, every run ends at its next callback."""

    bar: tqdm[Any]
    stopped: threading.Event = field(default_factory=threading.Event)

    def train(self, run: Run) -> Curve:
        """Train a run and advance the bar."""
        reached = 0

        def move(epoch: int) -> None:
            nonlocal reached
            with self.bar.get_lock():
                self.bar.update(epoch - reached)
            reached = epoch

        def on_epochs(info: fastmlp.CallbackInfo) -> bool:
            move(info.epoch)
            return self.stopped.is_set()

        curve = train(run, on_epochs)
        move(run.epochs)
        return curve


def train_all(runs: Sequence[Run], label: str) -> list[Curve]:
    """Train all runs in order on all cores. If one fails, the others end too."""
    with tqdm(desc=label, total=sum(run.epochs for run in runs), unit="epoch", unit_scale=True) as bar:
        progress = Progress(bar)
        with ThreadPoolExecutor(cpu_count()) as pool:
            futures = [pool.submit(progress.train, run) for run in runs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                progress.stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

"""The trainings of approximation.py and what is kept of them; a module for the scripts, not one itself."""

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

POINTS = 100  # of the training grid, as in the report
PER_DECADE = 40  # epochs kept of a curve
FINE = 10_000  # points of the grid that the nets are judged on
BORNE = 0.99  # of the squared error
STEADY = 0.1  # of the automatic rate, for functions with jumps or unknown
STEADIER = 0.03  # at which the sawtooth outlasts its epochs
FINE_PER_DECADE = 2  # epochs at which the error between the samples is taken


@dataclass(frozen=True)
class Run:
    """One training; rate is a multiple of the automatic one, fine the number of points that the net is judged at.

    It is judged there along the way, or else at the end only.
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
        """The epochs at which the net is judged on the fine grid."""
        return decades(self.epochs, FINE_PER_DECADE) if self.along_the_way else np.array([self.epochs])


@dataclass(frozen=True, eq=False)
class Curve:
    """A training's errors, and what it cost.

    Attributes
    ----------
    run : Run
        What was trained.
    epoch, rmse, crossings : ndarray, shape (n,)
        Of the history, `PER_DECADE` epochs of each decade: RMSE on the training grid, sign changes so far.
    fine_epoch, fine_rmse : ndarray, shape (m,)
        RMSE on the fine grid: `FINE_PER_DECADE` epochs of each decade, or the end.
    bearers : int
        How few samples bear `BORNE` of the squared error at the end.
    sharpness : float
        Rate times lambda_max, the largest eigenvalue of the objective's Gauss-Newton matrix, at the end.
    live_units : int or None
        Units about to cross a sample at the end, where the method of the end knows them.
    seconds, cpu_seconds : float
        Of the fit: by the clock, and of its thread.
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
        """The epochs that slopes are fitted over: the last decade, and the two decades before."""
        last = self.run.epochs
        return (last / 1000, last / 10), (last / 10, last)

    def rmse_at(self, epoch: float) -> float:
        """Return the RMSE on the training grid at the kept epoch nearest to one."""
        return float(self.rmse[np.abs(self.epoch - epoch).argmin()])


@dataclass(frozen=True, eq=False)
class WidthSeries:
    """Trainings that differ by the number of units and the seed only: curves by width, then by seed."""

    curves: list[list[Curve]]

    @property
    def run(self) -> Run:
        """What all of them have in common, and the least width."""
        return self.curves[0][0].run

    @property
    def widths(self) -> IntArray:
        """The numbers of units."""
        return np.array([curves[0].run.hidden for curves in self.curves])

    @property
    def ranges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The widths that slopes are fitted over."""
        return (10, 300), (1000, 100_000)

    def rmse(self, epoch: float) -> FloatArray:
        """Return the RMSE on the training grid after so many epochs, of shape (widths, seeds)."""
        return np.array([[curve.rmse_at(epoch) for curve in curves] for curves in self.curves])

    def fine_rmse(self) -> FloatArray:
        """Return the RMSE on the fine grid at the end, of shape (widths, seeds)."""
        return np.array([[curve.fine_rmse[-1] for curve in curves] for curves in self.curves])


def rate_text(rate: float) -> str:
    """Return how a rate is called."""
    return "automatic rate" if rate == 1 else f"{rate:g} of the automatic rate"


def grid(n: int) -> FloatArray:
    """Return n points of [-pi, pi], both ends included."""
    return np.linspace(-np.pi, np.pi, n)


def samples(formula: str, n: int) -> tuple[FloatArray, FloatArray]:
    """Return a grid of n points and the function's values there."""
    x = grid(n)
    return x, evaluate(Formula(formula), x)


def joined_samples_rmse(formula: str, n: int) -> float:
    """Return the RMSE, at n points, of straight lines that join the training samples."""
    x, y = samples(formula, n)
    return float(np.sqrt(np.mean((np.interp(x, *samples(formula, POINTS)) - y) ** 2)))


def bearers(error: FloatArray) -> int:
    """Return how few of the errors make up `BORNE` of the sum of their squares."""
    squares = np.sort(error**2)[::-1]
    return 1 + int(np.searchsorted(np.cumsum(squares), BORNE * squares.sum()))


def automatic_rate(x: FloatArray, y: FloatArray, model: fastmlp.Model) -> float:
    """Return the automatic rate, 1 / lambda_max, of the net that a model is now."""
    weights = (model.w1, model.b1, model.w2, model.b2)
    return fastmlp.fit(x, y, init=weights, standardize=True, epochs=1, progress=False).info.lr


def decades(last: int, per_decade: int) -> IntArray:
    """Return the whole numbers nearest to a geometric sequence from 1 to last."""
    return np.unique(np.geomspace(1, last, 1 + round(per_decade * np.log10(last))).round().astype(np.int64))


def train(run: Run, on_epochs: Callable[[fastmlp.CallbackInfo], bool]) -> Curve:
    """Train the run's net: the default call of fit, but for the rate where that is not the automatic one."""
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
    """A bar that counts the epochs of all runs; once stopped, every run ends at its next chunk."""

    bar: tqdm[Any]
    stopped: threading.Event = field(default_factory=threading.Event)

    def train(self, run: Run) -> Curve:
        """Train a run while the bar moves."""
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
    """Train all runs, in their order, on all cores; the first failure ends the others."""
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

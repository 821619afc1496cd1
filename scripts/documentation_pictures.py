"""The pictures of the pages in docs/, drawn by the package itself; a module for `documentation`, not a script."""

from __future__ import annotations

import io
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import fastmlp

STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
X = np.linspace(-np.pi, np.pi, 100)


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the PNG of each picture."""
    for draw in (first_fit, extrapolation, stalled_fits, optimizers, error_bars, kinks_at_work, report_run):
        with mpl.rc_context(STYLE):
            figure = draw()
            stream = io.BytesIO()
            figure.savefig(stream, dpi=160)
        yield draw.__name__, stream.getvalue()


def panels(count: int, height: float = 2.8) -> tuple[Figure, list[Axes]]:
    """Return a figure as wide as the text, with its axes side by side."""
    figure = Figure((7.2, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def first_fit() -> Figure:
    """Draw the fit of the first page."""
    figure, (axes,) = panels(1)
    model = fastmlp.fit(X, np.sin(X), rng=0)
    model.plot(X, np.sin(X), ax=axes)
    axes.set(xlabel="x", ylabel="y")
    return figure


def extrapolation() -> Figure:
    """Draw what nets from three starts say outside of the data."""
    figure, (axes,) = panels(1)
    beyond = np.linspace(-9, 9, 500)
    axes.axvspan(X[0], X[-1], color="0.93", label="where there is data")
    axes.plot(beyond, np.sin(beyond), color="0.6", linestyle="--", label="sin x")
    for seed in range(3):
        model = fastmlp.fit(X, np.sin(X), rng=seed)
        axes.plot(beyond, model.predict(beyond), label=f"net, seed {seed}")
    axes.set(xlabel="x", ylim=(-4, 4))
    axes.legend(loc="upper center", ncols=3)
    return figure


def stalled_fits() -> Figure:
    """Draw three fits that get nowhere, beside one that goes on."""
    figure, (curves, nets) = panels(2, 3.4)
    y = np.sin(3 * X) + np.abs(X) / 2
    fits = {
        "as it should be: the defaults": {},
        "a rate of 1e-5": {"lr": 1e-5, "init": 0.3},
        "six units": {"hidden": 6, "lr": 0.05, "standardize": True},
        "all kinks left of the data": {"init": left_start(), "lr": 0.01},
    }
    nets.plot(X, y, color="0.75", linewidth=4)
    for name, options in fits.items():
        model = fastmlp.fit(X, y, rng=0, **options)
        history = model.history
        curves.loglog(history.epoch[1:], history.rmse[1:], label=name)
        nets.plot(X, model.predict(X))
    curves.set(xlabel="epochs", ylabel="RMSE")
    nets.set(xlabel="x", ylabel="y: data grey, nets after 32,000 epochs")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def left_start() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a start whose units are all active on all data: a straight line."""
    rng = np.random.default_rng(0)
    w1 = np.abs(rng.normal(size=(1, 100))) * 0.1
    return w1, 10 * w1[0], 0.1 * rng.normal(size=(100, 1)), np.zeros(1)


def optimizers() -> Figure:
    """Draw RMSE against epochs for each optimiser on the sine fit."""
    figure, (axes,) = panels(1)

    def falling(epoch: int) -> float:
        return 1.5e-3 * (1 + np.cos(np.pi * epoch / 32000))

    fits = {
        "plain": {},
        "momentum=0.9": {"momentum": 0.9},
        'optimizer="adam"': {"optimizer": "adam"},
        "adam, rate falls from 3e-3 to 0": {"optimizer": "adam", "lr": falling, "standardize": True},
    }
    for order, (name, options) in enumerate(fits.items()):
        history = fastmlp.fit(X, np.sin(X), rng=0, **options).history
        line = {"linewidth": 0.5, "alpha": 0.6} if "adam" in name else {}
        axes.loglog(history.epoch[1:], history.rmse[1:], label=name, zorder=9 - order, **line)
    axes.set(xlabel="epochs", ylabel="RMSE")
    for line in axes.legend(loc="lower left").get_lines():
        line.set(linewidth=1.5, alpha=1)
    return figure


def error_bars() -> Figure:
    """Draw the band of the ensemble in the page on many nets."""
    figure, (axes,) = panels(1)
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-2, 2, 60))
    y = np.sin(2 * x) + 0.1 * rng.normal(size=60)
    jobs = [{"sample_weight": rng.multinomial(60, np.full(60, 1 / 60))} for _ in range(20)]
    fastmlp.fit_many(x, y, jobs, hidden=50, epochs=2000, rng=1).plot(x, y, ax=axes)
    return figure


def kinks_at_work() -> Figure:
    """Draw how many sign changes an epoch has, as training goes on."""
    figure, (axes,) = panels(1, 2.4)
    for name, y in {"sin x": np.sin(X), "noise": np.random.default_rng(0).normal(size=100)}.items():
        history = fastmlp.fit(X, y, rng=0).history
        crossings = np.asarray(history.crossings)
        marks = np.unique(np.geomspace(1, crossings.size - 1, 60).astype(int))
        axes.loglog(marks[1:], np.diff(crossings[marks]) / np.diff(marks), label=f"targets: {name}")
    axes.set(xlabel="epoch", ylabel="crossings in an epoch")
    axes.legend()
    return figure


def report_run() -> Figure:
    """Draw the report's longest run and its net."""
    figure, (curve, net) = panels(2)
    model = fastmlp.fit(X, np.sin(X), hidden=1000, epochs=32000, lr=1e-5, init=0.3, output_bias=False, rng=0)
    curve.loglog(model.history.epoch[1:], model.history.rmse[1:])
    curve.set(xlabel="epochs", ylabel="RMSE")
    curve.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    curve.set_yticks([], minor=True)
    model.plot(X, np.sin(X), ax=net)
    net.set(xlabel="x", ylabel="y")
    return figure

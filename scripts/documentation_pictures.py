"""Draw the pictures of README.md and of the pages in docs/.

    python scripts/documentation_pictures.py

The pictures are committed, so that the pages are complete on GitHub too. They are narrow with large letters, so that
they are legible on a phone. Run this script again if you change a plot of the package or the fit in a picture.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from report_figures import curves_figure
from report_runs import RUNS, train

import fastmlp

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
WIDTH = 4.8  # inches: at 400 pixels, a letter of 10 points is 9 pixels high and wide enough to read
X = np.linspace(-np.pi, np.pi, 100)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write every picture to a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures (docs/pictures)")
    folder = parser.parse_args(arguments).out
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in pictures():
        (folder / f"{name}.png").write_bytes(content)


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the PNG of each picture, in 256 colours, which halves the size of the file."""
    for draw in (
        first_fit,
        extrapolation,
        stalled_fits,
        optimizers,
        error_bars,
        kinks_at_work,
        report_run,
        convergence,
        sensor,
    ):
        stream = io.BytesIO()
        with mpl.rc_context(STYLE):
            draw().savefig(stream, dpi=150)
        smaller = io.BytesIO()
        Image.open(stream).convert("RGB").quantize(256).save(smaller, "PNG", optimize=True)
        yield draw.__name__, smaller.getvalue()


def panels(count: int = 1, height: float = 2.9) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes, which are below each other; the height is that of one axes."""
    figure = Figure((WIDTH, count * height), layout="constrained")
    return figure, list(figure.subplots(count, 1, squeeze=False)[:, 0])


def first_fit() -> Figure:
    """Draw the fit of README.md and of the first page."""
    figure, (axes,) = panels()
    model = fastmlp.fit(X, np.sin(X), rng=0)
    model.plot(X, np.sin(X), ax=axes)
    axes.set(xlabel="x", ylabel="y")
    return figure


def extrapolation() -> Figure:
    """Draw three nets from different initial weights, inside and outside the range of the data."""
    figure, (axes,) = panels()
    beyond = np.linspace(-9, 9, 500)
    axes.axvspan(X[0], X[-1], color="0.93", label="range of the data")
    axes.plot(beyond, np.sin(beyond), color="0.6", linestyle="--", label="sin x")
    for seed in range(3):
        model = fastmlp.fit(X, np.sin(X), rng=seed)
        axes.plot(beyond, model.predict(beyond), label=f"net, seed {seed}")
    axes.set(xlabel="x", ylabel="y", ylim=(-4, 6))
    axes.legend(loc="upper center", ncols=2, fontsize=9)
    return figure


def stalled_fits() -> Figure:
    """Draw a good fit and three that stall: RMSE against epochs, and the curves."""
    figure, (curves, nets) = panels(2, 3.0)
    y = np.sin(3 * X) + np.abs(X) / 2
    fits = {
        "default settings": {},
        "lr=1e-5": {"lr": 1e-5, "init": 0.3},
        "hidden=6": {"hidden": 6, "lr": 0.05, "standardize": True},
        "all kinks left of the data": {"init": left_start(), "lr": 0.01},
    }
    nets.plot(X, y, color="0.75", linewidth=4)
    for name, options in fits.items():
        model = fastmlp.fit(X, y, rng=0, **options)
        history = model.history
        curves.loglog(history.epoch[1:], history.rmse[1:], label=name)
        nets.plot(X, model.predict(X))
    curves.set(xlabel="epochs", ylabel="RMSE")
    nets.set(xlabel="x", ylabel="y (data in grey)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def left_start() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return initial weights of units that are all active on all samples, so that the net is a straight line."""
    rng = np.random.default_rng(0)
    w1 = np.abs(rng.normal(size=(1, 100))) * 0.1
    return w1, 10 * w1[0], 0.1 * rng.normal(size=(100, 1)), np.zeros(1)


def optimizers() -> Figure:
    """Draw RMSE against epochs for each optimiser on the sine fit."""
    figure, (axes,) = panels()

    def falling(epoch: int) -> float:
        return 1.5e-3 * (1 + np.cos(np.pi * epoch / 32000))

    fits = {
        "plain": {},
        "momentum=0.9": {"momentum": 0.9},
        'optimizer="adam"': {"optimizer": "adam"},
        "adam, lr decays to 0": {"optimizer": "adam", "lr": falling, "standardize": True},
    }
    for order, (name, options) in enumerate(fits.items()):
        history = fastmlp.fit(X, np.sin(X), rng=0, **options).history
        line = {"linewidth": 0.5, "alpha": 0.6} if "adam" in name else {}
        axes.loglog(history.epoch[1:], history.rmse[1:], label=name, zorder=9 - order, **line)
    axes.set(xlabel="epochs", ylabel="RMSE")
    for line in axes.legend(loc="lower left", fontsize=9).get_lines():
        line.set(linewidth=1.5, alpha=1)
    return figure


def error_bars() -> Figure:
    """Draw the mean and the error band of the ensemble of docs/many_nets.md."""
    figure, (axes,) = panels()
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-2, 2, 60))
    y = np.sin(2 * x) + 0.1 * rng.normal(size=60)
    jobs = [{"sample_weight": rng.multinomial(60, np.full(60, 1 / 60))} for _ in range(20)]
    fastmlp.fit_many(x, y, jobs, hidden=50, epochs=2000, rng=1).plot(x, y, ax=axes)
    return figure


def kinks_at_work() -> Figure:
    """Draw the number of crossings per epoch against the epoch."""
    figure, (axes,) = panels(height=2.6)
    for name, y in {"sin x": np.sin(X), "noise": np.random.default_rng(0).normal(size=100)}.items():
        history = fastmlp.fit(X, y, rng=0).history
        crossings = np.asarray(history.crossings)
        marks = np.unique(np.geomspace(1, crossings.size - 1, 60).astype(int))
        axes.loglog(marks[1:], np.diff(crossings[marks]) / np.diff(marks), label=f"targets: {name}")
    axes.set(xlabel="epoch", ylabel="crossings per epoch")
    axes.legend()
    return figure


def report_run() -> Figure:
    """Draw the RMSE of the report's longest run, and its net."""
    figure, (curve, net) = panels(2, 2.6)
    model = fastmlp.fit(X, np.sin(X), hidden=1000, epochs=32000, lr=1e-5, init=0.3, output_bias=False, rng=0)
    curve.loglog(model.history.epoch[1:], model.history.rmse[1:])
    curve.set(xlabel="epochs", ylabel="RMSE")
    curve.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    curve.set_yticks([], minor=True)
    model.plot(X, np.sin(X), ax=net)
    net.set(xlabel="x", ylabel="y")
    return figure


def convergence() -> Figure:
    """Draw the RMSE of the report's run with 1000 units for 20 seeds, and the values that the report printed."""
    run = RUNS[-1]
    return curves_figure(run, [train(run, seed) for seed in range(20)], "")


if __name__ == "__main__":
    main()


def sensor() -> Figure:
    """Draw the sensor of docs/sensor.md, and its interval relative to the curve."""
    figure, (curve, errors) = panels(2, 2.4)
    voltage, temperature = np.loadtxt(FOLDER.parent / "sensor.csv", delimiter=",", skiprows=1).T
    model = fastmlp.fit_cv(voltage, temperature, rng=0)
    model = replace(model, feature_names=["voltage_V"], target_names=["temp_C"])
    model.plot(voltage, temperature, ax=curve)
    inputs = np.linspace(*model.x_range[0], 1000)
    ends = np.stack(model.predict_interval(inputs, 0.9)) - model.predict(inputs)
    errors.fill_between(inputs, *ends, color="C0", alpha=0.25, lw=0)
    errors.plot(voltage, temperature - model.predict(voltage), ".", color="0.55")
    errors.set(xlabel="voltage_V", ylabel="difference, °C")
    return figure

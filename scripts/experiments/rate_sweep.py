"""Which rate and which initial biases generalise best? As in the rate sweep of arXiv 2002.04861.

At each of 23 rates, 100 nets of 512 units are trained for 8192 steps, each on its own 256 standardised points. Weights
start as proposed by He et al.; hidden biases start at 0, or uniform on (-1, 1) as in PyTorch. Every 64 steps the error
on 256 other points is computed, and the least of these errors counts. The study minimises the mean squared error
without 1/2, so our rates are twice as large. The functions (three random waves and noise) and the rates (half octaves
up to unstable ones) are ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from drawing import FloatArray, options, plt, print_line, save

import fastmlp

HIDDEN, POINTS = 512, 256
STEPS, REDUCED_STEPS = 8192, 2048
NETS, REDUCED_NETS = 100, 7  # odd, so that the median is the error of one net
RATES = 2.0 ** np.linspace(-16, -5, 23)  # of the error without 1/2
SPACING = 64
NOISE = 0.3
BIASES = ("zero", "pytorch")
AUTHORS_STEP = 0.19 * 3600 / (100 * 8192)  # seconds of one net, the faster of two figures


def samples(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw x (2, POINTS) and y for training and validation, standardised by the training set."""
    frequency, phase = rng.uniform(1, 6, 3), rng.uniform(0, 2 * np.pi, 3)
    x = rng.uniform(-1, 1, (2, POINTS))
    y = np.sin(frequency * x[..., None] + phase).sum(axis=-1) + NOISE * rng.normal(size=x.shape)
    return (x - x[0].mean()) / x[0].std(), (y - y[0].mean()) / y[0].std()


def job(net: int, seed: int, rate: float, biases: str, steps: int) -> dict[str, Any]:
    """Return the arguments of one net. Its points and weights depend only on its number."""
    rng = np.random.default_rng([seed, net])
    (x, x_held), (y, y_held) = samples(rng)
    w1, w2 = rng.normal(0, np.sqrt(2), (1, HIDDEN)), rng.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, 1))
    b1, b2 = rng.uniform(-1, 1, HIDDEN), rng.uniform(-1, 1, 1) / np.sqrt(HIDDEN)
    init = (w1, b1, w2, b2) if biases == "pytorch" else (w1, 0 * b1, w2, 0 * b2)
    held = {"validation": (x_held, y_held), "record_every": SPACING}
    return {"x": x, "y": y, "init": init, "lr": 2 * rate, "epochs": steps, **held}


def jobs(n_nets: int, seed: int, rate: float, biases: str, steps: int) -> Iterator[dict[str, Any]]:
    """Yield the arguments of all nets of a rate and a kind of initial biases."""
    return (job(net, seed, rate, biases, steps) for net in range(n_nets))


def draw(best: dict[str, list[FloatArray]], steps: int, path: Path) -> None:
    """Draw median and quartiles of the least validation error against the rate; diverged nets count as infinite."""
    figure, (ax, below) = plt.subplots(
        2, 1, figsize=(7.4, 6.4), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    for colour, (biases, errors) in enumerate(best.items()):
        # Quantiles without interpolation, which is not possible between a number and infinity.
        low, middle, high = np.array([np.quantile(row, [0.25, 0.5, 0.75], method="inverted_cdf") for row in errors]).T
        ax.fill_between(RATES, low, high, color=f"C{colour}", alpha=0.25, lw=0, label=f"{biases} biases: quartiles")
        ax.plot(RATES, middle, "o-", ms=3, color=f"C{colour}", label=f"{biases} biases: median of nets")
        diverged = [int(np.isinf(row).sum()) for row in errors]
        below.plot(RATES, diverged, "o-", ms=3, color=f"C{colour}", label=f"{biases} biases")
    n_nets = len(errors[0])
    ax.axhline(1, color="0.4", lw=0.8, ls=":", label="predicting the mean")
    ax.set(xscale="log", yscale="log", ylabel="least validation MSE (standardised targets)")
    ax.set_title(
        f"Least validation error: {n_nets} nets of {HIDDEN} units at each rate, {steps:,} steps\n"
        "(a line ends where half of the nets diverged, a band where a quarter did)",
        fontsize=10,
    )
    ax.legend(fontsize=8)
    below.set(ylim=(-0.05 * n_nets, 1.05 * n_nets), ylabel=f"diverged, of {n_nets}")
    below.set_xlabel("rate for the mean squared error; lr of fastmlp, which halves the error, is twice this")
    save(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    args = options(__doc__, "rate_sweep", arguments)
    n_nets, steps = (NETS, STEPS) if args.full else (REDUCED_NETS, REDUCED_STEPS)
    best: dict[str, list[FloatArray]] = {biases: [] for biases in BIASES}
    with joblib.parallel_config("loky"):  # a step in each process, which compiles there, or loads
        fastmlp.fit_many(None, None, jobs(joblib.cpu_count(), args.seed, float(RATES[0]), BIASES[0], 1))
    for biases in BIASES:
        seconds, crossings, live, failed = 0.0, 0, [], 0
        for rate in RATES:
            started = time.perf_counter()
            with joblib.parallel_config("loky"):  # the errors on other points are taken in Python
                ensemble = fastmlp.fit_many(None, None, jobs(n_nets, args.seed, float(rate), biases, steps))
            seconds += time.perf_counter() - started
            trained = [model for model in ensemble.models if model is not None]
            failed += len(ensemble.failures)
            crossings += sum(model.info.crossings for model in trained)
            live += [model.info.live_units for model in trained if model.info.live_units is not None]
            errors = [np.nanmin(model.history.val_rmse) ** 2 for model in trained]
            best[biases].append(np.array(errors + [np.inf] * len(ensemble.failures)))
        done = len(RATES) * n_nets * steps
        facts = (
            f"{crossings:,} crossings",
            f"median of live units {np.median(live):.0f} of {HIDDEN}",
            f"{failed} diverged",
        )
        print_line(f"E {biases} biases, {len(RATES)} rates, {n_nets} nets", seconds, done, done * AUTHORS_STEP, *facts)
    draw(best, steps, args.out / "validation.png")


if __name__ == "__main__":
    main()

"""Early alignment of neurons: with a small start, units first align in a few directions and then grow.

Follows https://github.com/eboursier/early_alignment. The nets have no output bias and start at the scale 1e-3 /
sqrt(H). They are trained for two million steps, on three points and on 40 points of a function of Stewart et al.;
weights are recorded at 135 steps. The study minimises the mean squared error without 1/2 at the rate 1e-3, which is
lr=2e-3 here. Its loop computes in float32; here the weights are float32 and the arithmetic is float64.

Without --full, a fifth of the steps are run. Then the net on three points is trained, and Stewart's net begins to bend.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from drawing import (
    FloatArray,
    draw_function,
    draw_loss,
    draw_neurons,
    facts_of,
    geometric_steps,
    options,
    plt,
    print_line,
    save,
    stages,
)

import fastmlp

RATE = 2e-3
SCALE = 1e-3
STEPS, REDUCED_STEPS = 2_000_000, 400_000
RATIO = 1.1
KNOTS = (
    np.array([-1, -0.7, -0.55, -0.4, 0, 0.5, 0.6, 0.7, 1]),
    np.array([0, 0.7, 0.5, 1, 0, 1, 0.6, 0.7, 0]),
)


@dataclass(frozen=True)
class Run:
    """A data set, a width, a start, and the seconds per step of the authors' loop."""

    data: str
    hidden: int
    start: str
    authors_step: float


RUNS = (
    Run("3 points", 20_000, "balanced", 0.32e-3),
    Run("3 points", 200_000, "unbalanced", 1.17e-3),
    Run("Stewart", 20_000, "balanced", 1.6e-3),
    Run("Stewart", 200_000, "unbalanced", 50e-3),
)


def samples(data: str, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return x and y."""
    if data == "3 points":
        return np.array([-0.75, -0.5, 0.125]), np.array([1.1, 0.1, 0.8])
    x = rng.uniform(-1, 1, 40)
    return x, np.interp(x, *KNOTS)


def start(kind: str, hidden: int, scale: float, rng: np.random.Generator) -> tuple[FloatArray, ...]:
    """Draw (w1, b1, w2, b2)."""
    w1, b1 = rng.normal(0, scale / np.sqrt(hidden), (2, hidden))
    if kind == "balanced":
        w2 = rng.choice([-1.0, 1.0], hidden) * np.hypot(w1, b1)
    else:
        w2 = rng.normal(0, scale / np.sqrt(hidden), hidden)
    return w1[None], b1, w2[:, None], np.zeros(1)


def train(run: Run, steps: int, seed: int, **options: Any) -> fastmlp.Model:
    """Train one net. Nets of the same seed have the same data. `options` are passed to `fastmlp.fit`."""
    x, y = samples(run.data, np.random.default_rng(seed))
    init = start(run.start, run.hidden, SCALE, np.random.default_rng([seed, run.hidden]))
    theirs = {"lr": RATE, "output_bias": False, "dtype": np.float32, "snapshots": geometric_steps(steps, RATIO)}
    return fastmlp.fit(x, y, init=init, epochs=steps, **theirs | options)


def draw(run: Run, model: fastmlp.Model, seed: int, path: Path) -> None:
    """Draw the units and the net at several steps."""
    x, y = samples(run.data, np.random.default_rng(seed))
    chosen = stages(model, 3, 6)
    figure = plt.figure(figsize=(16, 5), layout="constrained")
    first = None
    for column, (step, snapshot) in enumerate(chosen):
        ax = figure.add_subplot(2, len(chosen), column + 1, projection="polar")
        draw_neurons(ax, step, snapshot)
        ax = figure.add_subplot(2, len(chosen), len(chosen) + column + 1, sharex=first, sharey=first)
        first = first or ax
        draw_function(ax, snapshot, x, y)
        ax.set(xlabel="x", ylabel="y")
        ax.tick_params(labelsize=7)
        ax.label_outer()
    last = model.history.epoch[-1]
    part = "" if last == STEPS else f", the first {last:,} of {STEPS:,} steps"
    figure.suptitle(
        f"{run.data}, H = {run.hidden:,}, {run.start}{part}\nabove: each unit as the point (w1, b1) within the given "
        "radius, red for w2 > 0 and blue for w2 < 0; below: the net and the data",
        fontsize=11,
    )
    save(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    args = options(__doc__, "early_alignment", arguments)
    steps = STEPS if args.full else REDUCED_STEPS
    curves = {}
    train(RUNS[0], 1, args.seed)  # compiles
    for run in RUNS if args.full else RUNS[::2]:
        started = time.perf_counter()
        model = train(run, steps, args.seed)
        name = f"{run.data}, H = {run.hidden:,}, {run.start}"
        print_line(f"A {name}", time.perf_counter() - started, steps, run.authors_step * steps, *facts_of(model))
        draw(run, model, args.seed, args.out / f"{run.data.replace(' ', '_')}_h{run.hidden}.png")
        curves[name] = model
    figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    draw_loss(ax, curves, "Early alignment: error against steps")
    save(figure, args.out / "loss.png")


if __name__ == "__main__":
    main()

"""A leaky net on a zigzag for 1e8 steps, as in https://github.com/HanseulJo/Shallow-Univariate-ReLU-Net.

The net has 100 leaky units with the slope 0.01 below 0, and no output bias. The data is 9 points whose targets
alternate between 0 and 1. At the start, w1 and b1 are uniform on (-1, 1), b1 is sorted, and w2 is uniform on (-1, 1) /
sqrt(H). The study minimises the mean squared error without 1/2 at the rate 1e-3, which is lr=2e-3 here. Its net is in
float32, ours is in float64. Kinks are recorded at geometrically spaced steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from drawing import FloatArray, draw_function, draw_loss, facts_of, geometric_steps, options, plt, print_line, save

import fastmlp

HIDDEN, POINTS = 100, 9
RATE, SLOPE = 2e-3, 0.01
STEPS, REDUCED_STEPS = 100_000_000, 1_000_000
RATIO = 1.05
AUTHORS_STEP = 238e-6  # seconds


def samples() -> tuple[FloatArray, FloatArray]:
    """Return x and y."""
    return np.linspace(-1, 1, POINTS), np.arange(POINTS) % 2.0


def train(steps: int, seed: int, algorithm: str = "auto") -> fastmlp.Model:
    """Train the net."""
    rng = np.random.default_rng(seed)
    w1, b1 = rng.uniform(-1, 1, (2, HIDDEN))
    w2 = rng.uniform(-1, 1, HIDDEN) / np.sqrt(HIDDEN)
    return fastmlp.fit(
        *samples(),
        init=(w1[None], np.sort(b1), w2[:, None], np.zeros(1)),
        lr=RATE,
        negative_slope=SLOPE,
        output_bias=False,
        epochs=steps,
        snapshots=geometric_steps(steps, RATIO),
        algorithm=algorithm,
    )


def draw(model: fastmlp.Model) -> plt.Figure:
    """Draw the net and the paths of its kinks; and the kinks, the loss and each group of parameters against steps."""
    x, y = samples()
    steps = np.array(sorted(model.history.snapshots))
    models = [model.history.snapshots[step] for step in steps]
    knots = np.array([snapshot.kinks() for snapshot in models])
    heights = np.array([snapshot.predict(np.nan_to_num(row)) for snapshot, row in zip(models, knots, strict=True)])
    through_infinity = np.diff(np.sign([snapshot.w1[0] for snapshot in models]), axis=0) != 0
    knots[1:][through_infinity] = np.nan  # no line from one end to the other
    figure, axes = plt.subplots(2, 3, figsize=(14, 7.8), layout="constrained")
    paths = axes[0, 0].plot(knots, heights, lw=0.5, color="C1", alpha=0.5)
    paths[0].set_label("paths of its knots")
    draw_function(axes[0, 0], model, x, y)
    axes[0, 0].set(xlim=(-1.2, 1.2), ylim=(-0.5, 1.5), xlabel="x", ylabel="y", title="net at the end")
    axes[0, 0].legend(fontsize=8, loc="upper right")
    axes[0, 1].plot(steps + 1, knots, lw=0.6)
    axes[0, 1].set(xscale="log", ylim=(-1.5, 1.5), xlabel="step + 1", ylabel="x", title="kinks $-b_1 / w_1$")
    draw_loss(axes[0, 2], {"net": model}, "error")
    groups = (
        ("w_1", [m.w1[0] for m in models]),
        ("b_1", [m.b1 for m in models]),
        ("w_2", [m.w2[:, 0] for m in models]),
    )
    for ax, (name, values) in zip(axes[1], groups, strict=True):
        ax.plot(steps + 1, np.array(values), lw=0.6)
        ax.set(xscale="log", xlabel="step + 1", ylabel=f"${name}$", title=f"${name}$")
    figure.suptitle(f"{HIDDEN} leaky units on a zigzag, {steps[-1]:,} steps; one line per unit", fontsize=12)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    args = options(__doc__, "shallow_univariate", arguments)
    steps = STEPS if args.full else REDUCED_STEPS
    train(1, args.seed)  # compiles
    started = time.perf_counter()
    model = train(steps, args.seed)
    print_line(f"C H = {HIDDEN}", time.perf_counter() - started, steps, AUTHORS_STEP * steps, *facts_of(model))
    save(draw(model), args.out / "panel.png")


if __name__ == "__main__":
    main()

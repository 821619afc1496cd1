"""Dynamics of gradient flow from a tiny balanced start, as in https://github.com/eboursier/GFdynamics.

60 units, a start of scale 1e-6 / sqrt(H), no output bias, mean squared error without 1/2 at rate 1e-3, that is our rate
2e-3, on two and on five points; a film of the kinks -b1 / w1 and of the net.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from drawing import (
    FloatArray,
    draw_function,
    draw_loss,
    facts_of,
    geometric_steps,
    options,
    plt,
    print_line,
    save,
    some,
)
from early_alignment import RATE, start
from matplotlib.animation import FuncAnimation, PillowWriter

import fastmlp

HIDDEN = 60
SCALE = 1e-6
STEPS = 100_000  # five times theirs; reduced too, which makes a shorter film only
RATIO = 1.05
AUTHORS_STEP = 240e-6  # seconds; 211 to 270 us
DATA = {
    "2 points": (np.array([-0.5, 2.0]), np.array([-1.0, 1.0])),
    "5 points": (np.array([-1.5, -1.0, 0.0, 0.25, 2.0]), np.array([0.7, -0.3, -0.3, 0.4, 0.2])),
}


def train(x: FloatArray, y: FloatArray, steps: int, seed: int, algorithm: str = "auto") -> fastmlp.Model:
    """Train one net."""
    init = start("balanced", HIDDEN, SCALE, np.random.default_rng(seed))
    snapshots = geometric_steps(steps, RATIO)
    return fastmlp.fit(
        x, y, init=init, lr=RATE, epochs=steps, output_bias=False, algorithm=algorithm, snapshots=snapshots
    )


def draw_frame(axes: Sequence[plt.Axes], step: int, model: fastmlp.Model, x: FloatArray, y: FloatArray) -> None:
    """Draw the net and where its units switch, by their output weights."""
    for ax in axes:
        ax.clear()
    draw_function(axes[0], model, x, y, margin=0.3)
    room = 0.3 * (x.max() - x.min())
    axes[0].set(title=f"step {step:,}", ylim=(y.min() - 0.5, y.max() + 0.5))
    axes[1].plot(model.kinks(), model.w2[:, 0], ".", color="C1")
    for sample in x:
        axes[1].axvline(sample, color="0.8", lw=0.8, zorder=0)
    largest = max(1e-7, 1.1 * float(np.abs(model.w2).max()))
    axes[1].set(xlim=(x.min() - room, x.max() + room), ylim=(-largest, largest), xlabel="kink $-b_1 / w_1$")


def film(frames: Sequence[tuple[int, fastmlp.Model]], x: FloatArray, y: FloatArray, path: Path) -> None:
    """Write a film of snapshots."""
    figure, axes = plt.subplots(2, 1, figsize=(5, 6))
    animation = FuncAnimation(figure, lambda i: draw_frame(axes, *frames[i], x, y), frames=len(frames))
    animation.save(path, writer=PillowWriter(fps=12), dpi=70)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    args = options(__doc__, "gradient_flow", arguments)
    models = {}
    for name, (x, y) in DATA.items():
        started = time.perf_counter()
        model = train(x, y, STEPS, args.seed)
        print_line(f"B {name}", time.perf_counter() - started, STEPS, AUTHORS_STEP * STEPS, *facts_of(model))
        stages = some(model.history.snapshots, 26)[-7:]
        figure, axes = plt.subplots(2, len(stages), figsize=(15, 5.2), layout="constrained")
        for column, (step, snapshot) in enumerate(stages):
            draw_frame(axes[:, column], step, snapshot, x, y)
            axes[1, column].tick_params(labelsize=7)
        axes[0, 0].set_ylabel("net")
        axes[1, 0].set_ylabel("$w_2$")
        save(figure, args.out / f"{name.replace(' ', '_')}.png")
        film(some(model.history.snapshots, 150 if args.full else 25), x, y, args.out / f"{name.replace(' ', '_')}.gif")
        models[name] = model
    figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    draw_loss(ax, models)
    save(figure, args.out / "loss.png")


if __name__ == "__main__":
    main()

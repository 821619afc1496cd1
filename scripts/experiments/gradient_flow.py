"""Dynamics of gradient flow from a tiny balanced start, as in https://github.com/eboursier/GFdynamics.

The nets have 60 units and no output bias, start at the scale 1e-6 / sqrt(H), and are trained on two and on five points.
The study minimises the mean squared error without 1/2 at the rate 1e-3, which is lr=2e-3 here. A film shows the net and
the kinks -b1 / w1.
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
    stages,
)
from early_alignment import RATE, start
from matplotlib.animation import FuncAnimation, PillowWriter

import fastmlp

HIDDEN = 60
SCALE = 1e-6
STEPS = 100_000  # five times those of the study; without --full only the film is shorter
RATIO = 1.05
MARGIN = 0.3  # beside the data, relative to their range
FILM_SECONDS = 10
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
    """Draw the net, and the kink of each unit with its output weight."""
    for ax in axes:
        ax.clear()
    draw_function(axes[0], model, x, y, margin=MARGIN)
    axes[0].set(title=f"step {step:,}", xlabel="x", ylabel="y", ylim=(y.min() - 0.5, y.max() + 0.5))
    room = MARGIN * (x.max() - x.min())
    kinks, w2 = model.kinks(), model.w2[:, 0]
    shown = (kinks > x.min() - room) & (kinks < x.max() + room)
    axes[1].plot(kinks[shown], w2[shown], ".", color="C1")
    for sample in x:
        axes[1].axvline(sample, color="0.8", lw=0.8, zorder=0)
    axes[1].axhline(0, color="0.8", lw=0.8, zorder=0)
    axes[1].set(xlim=axes[0].get_xlim(), xlabel=f"kink $-b_1 / w_1$; {np.sum(~shown)} outside", ylabel="$w_2$")
    axes[1].ticklabel_format(axis="y", scilimits=(-3, 3))


def draw(name: str, model: fastmlp.Model, path: Path) -> None:
    """Draw some frames side by side."""
    chosen = stages(model, 2, 6)
    figure, axes = plt.subplots(2, len(chosen), figsize=(16, 5.6), layout="constrained")
    for column, (step, snapshot) in enumerate(chosen):
        draw_frame(axes[:, column], step, snapshot, *DATA[name])
        for ax in axes[:, column]:
            ax.tick_params(labelsize=7)
            ax.set_ylabel(ax.get_ylabel() if column == 0 else "")
            ax.set_xlabel(ax.get_xlabel(), fontsize=8)
    figure.suptitle(
        f"{name}, {HIDDEN} units; above: the net and the data; below: the kink and the output weight of each "
        "unit, with grey lines at the data",
        fontsize=11,
    )
    save(figure, path)


def film(frames: Sequence[tuple[int, fastmlp.Model]], x: FloatArray, y: FloatArray, path: Path) -> None:
    """Write a film of the snapshots."""
    figure, axes = plt.subplots(2, 1, figsize=(5, 6))
    figure.subplots_adjust(left=0.15, right=0.96, top=0.94, hspace=0.4)
    animation = FuncAnimation(figure, lambda i: draw_frame(axes, *frames[i], x, y), frames=len(frames))
    animation.save(path, writer=PillowWriter(fps=len(frames) / FILM_SECONDS), dpi=70)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    args = options(__doc__, "gradient_flow", arguments)
    models = {}
    train(*DATA["2 points"], 1, args.seed)  # compiles
    for name, (x, y) in DATA.items():
        started = time.perf_counter()
        model = train(x, y, STEPS, args.seed)
        print_line(f"B {name}", time.perf_counter() - started, STEPS, AUTHORS_STEP * STEPS, *facts_of(model))
        file = name.replace(" ", "_")
        draw(name, model, args.out / f"{file}.png")
        film(stages(model, 30, 100) if args.full else stages(model, 8, 20), x, y, args.out / f"{file}.gif")
        models[name] = model
    figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    draw_loss(ax, models, "Gradient flow: error against steps")
    save(figure, args.out / "loss.png")


if __name__ == "__main__":
    main()

"""The heat map of `peers.py`: the time of the fastest rival divided by that of fastmlp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from benchmarks.peers_cells import DTYPES, HIDDEN, INPUTS, SAMPLES
from benchmarks.peers_tables import best_rival, ratio, shown

LIMIT = 10.0  # of the colour scale, either way
TICKS = (0.1, 0.3, 1, 3, 10)
WHITE_BEYOND = 4.0  # the ratio, either way, from which a cell is too dark for black text


def draw(content: dict[str, Any], path: Path) -> None:
    """Draw a panel of inputs against units for each precision and number of samples; missing cells are grey.

    The panels are below each other, so that the numbers are legible on a phone.
    """
    cells = content["results"]["cells"]
    panels = [(dtype, samples) for dtype in DTYPES for samples in SAMPLES]
    figure, axes = plt.subplots(len(panels), 1, figsize=(4.8, 2.1 * len(panels)), sharex=True, layout="constrained")
    for ax, (dtype, samples) in zip(axes, panels, strict=True):
        mesh = draw_panel(ax, [cell for cell in cells if (cell["dtype"], cell["samples"]) == (dtype, samples)])
        ax.set_title(f"{dtype}, {samples:,} samples", fontsize=10)
    figure.supxlabel("inputs")
    figure.supylabel("hidden units")
    label = "time of the fastest rival / time of fastmlp\nblue: fastmlp is faster, red: the rival is"
    bar = figure.colorbar(mesh, ax=axes, extend="both", label=label, location="top", aspect=30)
    bar.set_ticks(TICKS, labels=[f"{tick:g}" for tick in TICKS], minor=False)
    bar.minorticks_off()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_panel(ax: Any, cells: list[dict[str, Any]]) -> Any:
    """Draw the ratios of some cells, each with the name of the rival; return the image for a colour bar."""
    ratios = np.full((len(HIDDEN), len(INPUTS)), np.nan)
    for cell in cells:
        place = HIDDEN.index(cell["hidden"]), INPUTS.index(cell["inputs"])
        name = best_rival(cell)
        value = ratios[place] = ratio(cell, name)
        color = "white" if abs(np.log(value)) > np.log(WHITE_BEYOND) else "black"
        text = f"{shown(value)}\n{name.split(',')[0]}"
        ax.text(place[1], place[0], text, ha="center", va="center", color=color, fontsize=8)
    ax.set_facecolor("lightgrey")
    ax.set_xticks(range(len(INPUTS)), [f"{n}" for n in INPUTS])
    ax.set_yticks(range(len(HIDDEN)), [f"{n:,}" for n in HIDDEN])
    return ax.imshow(ratios, cmap="RdBu", norm=LogNorm(1 / LIMIT, LIMIT), origin="lower", aspect="auto")

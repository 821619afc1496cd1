"""The picture of a fit: the net with its samples, and the history of the training if there is one."""

from __future__ import annotations

from pathlib import Path

import fastmlp
from fastmlp.cli.errors import UsageError
from fastmlp.engines.engine import Array
from fastmlp.files.atomic import replacing


def check_plot(plot: str) -> None:
    """Check that the picture has a format that matplotlib knows."""
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if Path(plot).suffix.lower().lstrip(".") not in kinds:
        raise UsageError(f"--plot must end in one of {', '.join(f'.{kind}' for kind in kinds)}, got {plot!r}.")


def save_plot(model: fastmlp.Model, samples: tuple[Array, ...], path: str) -> None:
    """Draw a model and its samples, and write the picture to a file."""
    from matplotlib.figure import Figure

    history = model.history
    figure = Figure(figsize=(6.5 if history is None else 11, 4.5), layout="constrained")
    axes = figure.subplots(1, 1 if history is None else 2, squeeze=False)[0]
    model.plot(*samples[:2], ax=axes[0])
    if history is not None:
        history.plot(ax=axes[1])
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)

"""The film of a fit: a GIF with one frame for each snapshot."""

from __future__ import annotations

import os
from pathlib import Path

import numpy.typing as npt

from fastmlp import checks
from fastmlp.models.model import Model


def film(
    model: Model,
    path: str | os.PathLike[str],
    x: npt.ArrayLike | None = None,
    y: npt.ArrayLike | None = None,
    *,
    fps: float = 10.0,
) -> None:
    """Write a GIF of a fit: one plot for each snapshot and one for the returned weights.

    Parameters
    ----------
    model : Model
        Model of a fit with ``snapshots=``.
    path : str or os.PathLike
        Name of the file.
        It must end in ".gif". An existing file is replaced only when the new file is complete.
    x, y : array_like, optional
        Samples, as in `fastmlp.Model.plot`.
        If both are given, the title of each frame states the RMSE on them.
    fps : float, default 10
        Frames per second.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, if the model has no snapshots, or if it cannot be plotted with these samples.

    Examples
    --------
    >>> import fastmlp, numpy as np
    >>> from fastmlp.models.film import film
    >>> x = np.linspace(-3, 3, 50)
    >>> model = fastmlp.fit(x, np.sin(x), epochs=1000, snapshots=np.geomspace(1, 1000, 40).astype(int), rng=0)
    >>> film(model, "fit.gif", x, np.sin(x))  # doctest: +SKIP
    """
    history = model.history
    if history is None or not history.snapshots:
        raise ValueError("The model has no snapshots. Fit it with snapshots=[...].")
    if checks.real("fps", fps) <= 0:
        raise ValueError(checks.wording("fps", "positive", repr(fps)))
    if Path(path).suffix.lower() != ".gif":
        raise ValueError(checks.wording("path", 'a name that ends in ".gif"', repr(str(path))))
    frames = sorted(history.snapshots.items())
    best_epoch = int(history.epoch[-1]) if model.info is None else model.info.best_epoch
    if frames[-1][0] != best_epoch:
        frames.append((best_epoch, model))
    from fastmlp.showing.animation import write_gif

    write_gif(frames, path, x, y, fps=fps)

"""Pictures of models and of fits, drawn with matplotlib, which is imported only here.

Nothing is shown and no setting of matplotlib is changed: what is drawn on is returned.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.files.atomic import replacing

if TYPE_CHECKING:
    from fastmlp.models.ensemble import Ensemble
    from fastmlp.models.model import Model
    from fastmlp.training.recording import History

CURVE_POINTS = 2001
SURFACE_POINTS = 201  # along each input
SURFACE_LEVELS = 20
FEW_RECORDS = 30  # drawn as points too
MOST_TOLD_APART = 10  # outputs: there are so many colours, and a longer legend covers the picture
HELD_SECONDS = 1.0  # of a film's last frame
BAND = (0.05, 0.95)  # quantiles between which an ensemble's band lies


def plot_model(model: Model, x: object, y: object, ax: Axes | None) -> Axes:
    """Draw what `fastmlp.Model.plot` says."""
    data = _data(model, x, y)
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    _draw(ax, model, _limits(model, x), data, _value_range([model], _limits(model, x), data))
    return ax


def plot_ensemble(ensemble: Ensemble, models: Sequence[Model], x: object, y: object, ax: Axes | None) -> Axes:
    """Draw what `fastmlp.Ensemble.plot` says, of an ensemble with these trained models."""
    first = models[0]
    if first.n_in != 1:
        raise ValueError(checks.wording("plot", "asked of nets of one input", f"{first.n_in} inputs"))
    data = _data(first, x, y)
    every = np.concatenate([_limits(model, x) for model in models], axis=1)
    (curve,) = _grid(first, np.stack([every.min(axis=1), every.max(axis=1)], axis=1))
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    _draw_data(ax, first, data)
    low, high = ensemble.quantiles(curve, BAND).reshape(2, len(curve), -1)
    for k in range(first.n_out):
        label = f"{BAND[1] - BAND[0]:.0%} of the nets" if k == 0 else None
        ax.fill_between(curve, low[:, k], high[:, k], color=f"C{k}", alpha=0.25, lw=0, label=label)
    mean = ensemble.predict(curve).reshape(len(curve), -1)
    for k in range(first.n_out):
        ax.plot(curve, mean[:, k], color=f"C{k}", label=_label("mean", first, k))
    ax.set(xlabel="x", ylabel="y")
    ax.legend()
    return ax


def plot_history(history: History, ax: Axes | None) -> Axes:
    """Draw what `fastmlp.History.plot` says."""
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    later = history.epoch > 0  # a logarithmic axis has no 0
    marker = "." if later.sum() <= FEW_RECORDS else ""
    ax.plot(history.epoch[later], history.rmse[later], marker=marker, color="C0", label="training set")
    if history.val_rmse is not None:
        ax.plot(history.epoch[later], history.val_rmse[later], marker=marker, color="C3", label="validation set")
        ax.legend()
    ax.set(xlabel="epoch", ylabel="RMSE", xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PlainLogFormatter())
        axis.set_minor_formatter(PlainLogFormatter())
    ax.grid(alpha=0.3)
    return ax


class PlainLogFormatter(LogFormatterSciNotation):
    """Labels of a logarithmic axis: 0.2 where matplotlib writes 2 x 10^-1, as far as that is short."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick, or nothing where there is no room for it."""
        label = super().__call__(x, pos)
        return f"{x:g}" if label and 1e-3 <= x < 1e5 else label


def film(
    model: Model,
    path: str | os.PathLike[str],
    x: npt.ArrayLike | None = None,
    y: npt.ArrayLike | None = None,
    *,
    fps: float = 10.0,
) -> None:
    """Write a GIF of a fit: a frame as `fastmlp.Model.plot` draws it for each snapshot, and one for the end.

    Parameters
    ----------
    model : Model
        Of a fit with ``snapshots=``.
    path : str or os.PathLike
        The file, whose name ends in ".gif"; it is replaced whole or not at all.
    x, y : array_like, optional
        Samples, as for `fastmlp.Model.plot`; with them every frame says the RMSE on them.
    fps : float, default 10
        Frames per second.

    Raises
    ------
    ValueError
        If the model has no snapshots, or cannot be drawn.

    Examples
    --------
    >>> import fastmlp, numpy as np
    >>> from fastmlp.showing.plotting import film
    >>> x = np.linspace(-3, 3, 50)
    >>> model = fastmlp.fit(x, np.sin(x), epochs=1000, snapshots=np.geomspace(1, 1000, 40).astype(int), rng=0)
    >>> film(model, "fit.gif", x, np.sin(x))  # doctest: +SKIP
    """
    history = model.history
    if history is None or not history.snapshots:
        remedy = "Fit with snapshots=[...]."
        raise ValueError(checks.wording("model", "of a fit with snapshots", "one without", remedy))
    if checks.real("fps", fps) <= 0:
        raise ValueError(checks.wording("fps", "positive", repr(fps)))
    if Path(path).suffix.lower() != ".gif":
        raise ValueError(checks.wording("path", 'a name that ends in ".gif"', repr(str(path))))
    frames = sorted(history.snapshots.items())
    end = int(history.epoch[-1]) if model.info is None else model.info.best_epoch  # whose weights the model has
    if frames[-1][0] != end:
        frames.append((end, model))
    limits, data = _limits(model, x), _data(model, x, y)
    values = _value_range([snapshot for _, snapshot in frames], limits, data)
    figure = Figure(figsize=(6.4, 4.8))  # the margins of a layout would differ from frame to frame
    writer = PillowWriter(fps=fps)  # type: ignore[arg-type]  # any number is taken
    with replacing(path) as temporary, writer.saving(figure, temporary, dpi=100):
        for epoch, snapshot in frames:
            figure.clear()
            ax = figure.subplots()
            _draw(ax, snapshot, limits, data, values)
            if model.n_in == 1:
                ax.set_ylim(_widened(values))
            error = "" if data is None else f", RMSE {snapshot.rmse(data.x, data.y):.3g}"
            ax.set_title(f"epoch {epoch:,}{error}")
            writer.grab_frame()
        for _ in range(round(HELD_SECONDS * fps)):
            writer.grab_frame()


def _data(model: Model, x: object, y: object) -> checks.Samples | None:
    """Check the samples to draw."""
    if x is None and y is not None:
        raise ValueError(checks.wording("x", "given with y", "None"))
    if x is None or y is None:
        if model.n_in > 2 or (model.n_in == 2 and model.n_out > 1):
            sizes = f"{model.n_in} inputs and {checks.counted(model.n_out, 'output')}"
            raise ValueError(checks.wording("x and y", f"given to draw a net of {sizes}", "None"))
        return None
    checks.inputs(x, model.n_in)
    data = checks.samples(x, y)
    if data.y.shape[1] != model.n_out:
        raise ValueError(checks.wording("y", f"of as many columns as outputs ({model.n_out})", f"{data.y.shape[1]}"))
    return data


def _limits(model: Model, x: object) -> Array:
    """Return the smallest and largest value to draw of each input (n_in, 2)."""
    if x is not None:
        inputs, _ = checks.inputs(x, model.n_in)
        return np.stack([inputs.min(axis=0), inputs.max(axis=0)], axis=1)
    if model.x_range is None:
        raise ValueError(checks.wording("x", "given for a model that was not fitted", "None"))
    return model.x_range


def _value_range(models: Iterable[Model], limits: Array, data: checks.Samples | None) -> tuple[float, float]:
    """Return the smallest and largest output to draw."""
    values = [] if data is None else [data.y]
    for model in models:
        if _is_drawn_by_samples(model):
            assert data is not None
            points = data.x
        else:
            points = np.stack([axis.ravel() for axis in _grid(model, limits)], axis=1)
        values.append(model.predict(points))
    return min(float(v.min()) for v in values), max(float(v.max()) for v in values)


def _is_drawn_by_samples(model: Model) -> bool:
    return model.n_in > 2 or (model.n_in == 2 and model.n_out > 1)


def _grid(model: Model, limits: Array) -> list[Array]:
    """Return the inputs at which the net is drawn, one array for each."""
    n_points = CURVE_POINTS if model.n_in == 1 else SURFACE_POINTS
    widened = limits + np.where(limits[:, :1] == limits[:, 1:], [-0.5, 0.5], 0.0)
    return [np.asarray(axis) for axis in np.meshgrid(*(np.linspace(low, high, n_points) for low, high in widened))]


def _draw(ax: Axes, model: Model, limits: Array, data: checks.Samples | None, values: tuple[float, float]) -> None:
    if _is_drawn_by_samples(model):
        assert data is not None
        _draw_agreement(ax, model, data, values)
    elif model.n_in == 1:
        _draw_curve(ax, model, limits, data)
    else:
        _draw_surface(ax, model, limits, data, values)


def _draw_curve(ax: Axes, model: Model, limits: Array, data: checks.Samples | None) -> None:
    _draw_data(ax, model, data)
    (curve,) = _grid(model, limits)
    heights = model.predict(curve).reshape(len(curve), -1)
    for k in range(model.n_out):
        ax.plot(curve, heights[:, k], color=f"C{k}", label=_label("net", model, k))
    kinks = model.kinks()
    kinks = kinks[(kinks >= limits[0, 0]) & (kinks <= limits[0, 1])]
    color = "C1" if model.n_out == 1 else "0.3"  # C1 is an output's
    ax.plot(kinks, np.zeros_like(kinks), "|", color=color, label="kinks", transform=ax.get_xaxis_transform())
    ax.set(xlabel="x", ylabel="y")
    ax.legend()


def _draw_data(ax: Axes, model: Model, data: checks.Samples | None) -> None:
    """Draw samples of one input, those of several outputs in the colours of their curves."""
    if data is not None:
        for k in range(model.n_out):
            color = "0.55" if model.n_out == 1 else f"C{k}"
            ax.plot(data.x[:, 0], data.y[:, k], ".", color=color, label="data" if k == 0 else None)


def _label(what: str, model: Model, k: int) -> str | None:
    """Return the label of an output's curve, None beyond as many as can be told apart."""
    if model.n_out == 1:
        return what
    return f"{what}, output {k}" if k < MOST_TOLD_APART else None


def _draw_surface(
    ax: Axes, model: Model, limits: Array, data: checks.Samples | None, values: tuple[float, float]
) -> None:
    first, second = _grid(model, limits)
    heights = model.predict(np.stack([first.ravel(), second.ravel()], axis=1)).reshape(first.shape)
    levels = MaxNLocator(SURFACE_LEVELS).tick_values(*(values if values[0] < values[1] else _widened(values)))
    surface = ax.contourf(first, second, heights, levels=levels)
    if data is not None:
        first, second = data.x.T
        colors: dict[str, Any] = {"c": data.y[:, 0], "cmap": surface.cmap, "norm": surface.norm}
        ax.scatter(first, second, 22, edgecolors="white", linewidths=0.7, label="data", **colors)
        ax.legend()
    assert ax.figure is not None
    ax.figure.colorbar(surface, ax=ax, label="y")
    ax.set(xlabel="x[:, 0]", ylabel="x[:, 1]")


def _draw_agreement(ax: Axes, model: Model, data: checks.Samples, values: tuple[float, float]) -> None:
    ends = _widened(values)
    ax.plot(ends, ends, "--", color="0.55", lw=1)
    predicted = model.predict(data.x).reshape(len(data.x), -1)
    for k in range(model.n_out):
        ax.plot(data.y[:, k], predicted[:, k], ".", alpha=0.6, label=f"output {k}")
    if 1 < model.n_out <= MOST_TOLD_APART:
        ax.legend()
    ax.set(xlabel="observed y", ylabel="predicted y", xlim=ends, ylim=ends, aspect="equal")


def _widened(values: tuple[float, float]) -> tuple[float, float]:
    """Return the ends of an axis with room beside what it shows."""
    margin = 0.05 * (values[1] - values[0]) or 0.5
    return values[0] - margin, values[1] + margin

"""Pictures of models, drawn with matplotlib, which is imported only here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from fastmlp import checks

if TYPE_CHECKING:
    from fastmlp.model import Model

CURVE_POINTS = 2001


def plot_model(model: Model, x: object, y: object, ax: Axes | None) -> Axes:
    """Draw what `fastmlp.Model.plot` says."""
    if model.n_in != 1:
        raise ValueError(checks.wording("plot", "asked of a net of one input", f"{model.n_in} inputs"))
    if x is None and y is not None:
        raise ValueError(checks.wording("x", "given with y", "None"))
    if x is not None:
        inputs, _ = checks.inputs(x, 1)
        low, high = inputs.min(), inputs.max()
    elif model.x_range is not None:
        low, high = model.x_range[0]
    else:
        raise ValueError(checks.wording("x", "given for a model that was not fitted", "None"))
    ax = plt.subplots()[1] if ax is None else ax
    if x is not None and y is not None:
        data = checks.samples(x, y)
        ax.plot(data.x[:, 0], data.y, ".", color="0.55", label=["data", *["_"] * (data.y.shape[1] - 1)])
    curve = np.linspace(low, high, CURVE_POINTS)
    labels = ["net", *["_"] * (model.n_out - 1)]
    ax.plot(curve, model.predict(curve).reshape(len(curve), -1), color="C0", label=labels)
    kinks = model.kinks()
    kinks = kinks[(kinks >= low) & (kinks <= high)]
    ax.plot(kinks, np.zeros_like(kinks), "|", color="C1", label="kinks", transform=ax.get_xaxis_transform())
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    ax.legend()
    return ax

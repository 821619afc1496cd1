"""The coordinates of the training: the data as they were given, or standardised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp.checks import Samples, wording
from fastmlp.engines.engine import Array
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.scaling import Standardization, column_maps, identity


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The maps to the coordinates of the training, and the data in these coordinates.

    Attributes
    ----------
    maps : Standardization
        Between the units of the data and the coordinates.
    x : ndarray of float64, shape (n_samples, n_in)
        Inputs.
    y : ndarray of float64, shape (n_samples, n_out)
        Targets.
    sample_weight : ndarray of float64, shape (n_samples,)
        Weights of the samples, which sum to 1.
    constant_inputs, constant_targets : ndarray of bool, shapes (n_in,) and (n_out,)
        Which columns are 0 because they were constant before they were shifted.
    """

    maps: Standardization
    x: Array
    y: Array
    sample_weight: Array
    constant_inputs: npt.NDArray[np.bool_]
    constant_targets: npt.NDArray[np.bool_]


def find_coordinates(
    data: Samples,
    architecture: Architecture,
    dtype: np.dtype[Any],
    *,
    standardize: bool,
    known_maps: Standardization | None,
) -> Coordinates:
    """Return the coordinates to train in.

    They are those of the model that the fit continues (`known_maps`) if there is one. Otherwise they are standardised
    if `standardize` is True, and the units of the data if not. A number that overflows becomes infinite; `make_problem`
    refuses it.

    Raises
    ------
    ValueError
        If the offset of a column that is shifted is too large beside its scale.
    """
    with np.errstate(all="ignore"):
        if standardize and known_maps is None:
            return _standardized(data, architecture, dtype)
        maps = identity(architecture.n_in, architecture.n_out) if known_maps is None else known_maps
        none = np.zeros(architecture.n_in, bool), np.zeros(architecture.n_out, bool)
        return Coordinates(maps, maps.inputs(data.x), maps.targets(data.y), data.sample_weight, *none)


def _standardized(data: Samples, architecture: Architecture, dtype: np.dtype[Any]) -> Coordinates:
    """Return the standardised coordinates of the data."""
    x_shift, x_scale, x_constant = column_maps(data.x, data.sample_weight, dtype, shift=architecture.hidden_bias)
    y_shift, y_scale, y_constant = column_maps(data.y, data.sample_weight, dtype, shift=architecture.output_bias)
    x_constant &= architecture.hidden_bias
    y_constant &= architecture.output_bias
    _require_resolved("x", x_shift, x_scale, x_constant, dtype)
    _require_resolved("y", y_shift, y_scale, y_constant, dtype)
    maps = Standardization(x_shift, x_scale, y_shift, y_scale)
    x, y = maps.inputs(data.x), maps.targets(data.y)
    x[:, x_constant] = 0.0  # without the rounding in a constant column
    y[:, y_constant] = 0.0
    return Coordinates(maps, x, y, data.sample_weight, x_constant, y_constant)


def _require_resolved(
    name: str, shift: Array, scale: Array, constant: npt.NDArray[np.bool_], dtype: np.dtype[Any]
) -> None:
    """Refuse a shift that is so large beside the scale of a column that weights in the dtype cannot undo it.

    Rounding of the biases moves the kinks, or the outputs, by about eps times the shift. The limit is a shift of
    eps^(-2/3) scales: 2.7e10 in float64, 4.1e4 in float32. Below, the RMSE of the model was that of the history to
    three digits in float64 and to 3 % in float32 (sin(6 u) on 100 points, 100 units, RMSE 3.6e-3); at shifts of 3e14
    and 2e5 it was six times and twice as large.
    """
    least = float(np.finfo(dtype).eps) ** (2 / 3)
    unfit = (np.abs(shift) * least > scale) & ~constant
    if unfit.any():
        k = int(np.argmax(unfit))
        of_column = f" in column {k}" if shift.size > 1 else ""
        rule = f"of a standard deviation of at least {least:.1e} times its mean in {dtype}"
        got = f"{scale[k]:.2g} with a mean of {shift[k]:.2g}{of_column}"
        remedy = f"Subtract an offset first, such as the smallest entry of {name}. Leave out a column of noise."
        raise ValueError(wording(name, rule, got, remedy))

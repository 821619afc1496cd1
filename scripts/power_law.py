"""Power laws, fitted by least squares of the logarithms. This module is imported, not run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class PowerLaw(NamedTuple):
    """A power law y = factor * x^slope, fitted over a range of x.

    misfit is the largest factor between y and the fit.
    """

    slope: float
    factor: float
    misfit: float
    first: float
    last: float

    @property
    def span(self) -> str:
        """The range as text."""
        first, last = (f"{x:.0f}" if x < 1000 else f"{x:.0e}".replace("e+0", "e") for x in (self.first, self.last))
        return f"{first} to {last}"


def power_law(x: npt.ArrayLike, y: npt.ArrayLike, first_to_last: tuple[float, float]) -> PowerLaw:
    """Fit a power law to the points with x in the range and positive y; NaN if there are fewer than two."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    first, last = first_to_last
    kept = (x >= first) & (x <= last) & (y > 0)
    if kept.sum() < 2:
        return PowerLaw(np.nan, np.nan, np.nan, first, last)
    log_x, log_y = np.log(x[kept]), np.log(y[kept])
    slope = (log_x - log_x.mean()) @ log_y / np.sum((log_x - log_x.mean()) ** 2)
    intercept = log_y.mean() - slope * log_x.mean()
    misfit = np.abs(log_y - intercept - slope * log_x).max()
    return PowerLaw(slope, np.exp(intercept), np.exp(misfit), first, last)

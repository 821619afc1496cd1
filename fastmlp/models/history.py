"""The history of a fit: errors by epoch, and snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.engines.engine import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class History:
    """Errors by epoch of one call of `fastmlp.fit`, and snapshots.

    Attributes
    ----------
    epoch : ndarray of int64, shape (n_records,)
        Recorded epochs, in ascending order.
        Epoch 0 is before the first update.
    rmse : ndarray of float64, shape (n_records,)
        RMSE on the training samples at the recorded epochs, in the units of y.
        It is the root of the weighted mean squared error over samples and outputs.
    val_rmse : ndarray of float64, shape (n_records,), or None
        RMSE on the validation samples at the recorded epochs; None without validation samples.
    crossings : ndarray of int64, shape (n_records,), or None
        Number of crossings up to the recorded epochs; None if the engine does not count them.
        A crossing is a change of a hidden unit from inactive to active on a sample, or back. A sample that is given
        several times counts several times, and a sample of weight 0 does not count.
    rate_falls : tuple of int
        Epochs from which on the automatic learning rate is smaller; empty for a rate that was given.

    Examples
    --------
    >>> import fastmlp
    >>> options = {"hidden": 5, "epochs": 50, "rng": 0, "algorithm": "reference"}
    >>> history = fastmlp.fit([0.0, 1.0], [1.0, 3.0], record_every=10, **options).history
    >>> history.epoch
    array([ 0, 10, 20, 30, 40, 50])
    >>> bool(history.rmse[-1] < history.rmse[0])
    True
    """

    epoch: Array
    rmse: Array
    val_rmse: Array | None
    # A plain dict of Models (their type would make an import circle): skops, dataclasses.asdict and copy.deepcopy
    # refuse a mapping proxy.
    _snapshots: dict[int, Any]
    crossings: Array | None
    rate_falls: tuple[int, ...] = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        _make_read_only(self.epoch, self.rmse, self.val_rmse, self.crossings)  # unpickled arrays are writeable

    @property
    def snapshots(self) -> Mapping[int, Any]:
        """Models by the epoch after which they were kept, as a read-only mapping.

        Epochs that the fit did not reach are missing.
        """
        return MappingProxyType(self._snapshots)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot the RMSE against the epoch on logarithmic axes.

        The plot also shows the RMSE on the validation samples, if there are any.

        Dotted lines mark the epochs from which on the automatic rate is smaller.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw on.
            By default, a new figure is created.

        Returns
        -------
        matplotlib Axes
            Axes with the plot.

        Examples
        --------
        >>> import fastmlp, matplotlib
        >>> matplotlib.use("Agg")
        >>> model = fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=5, epochs=50, rng=0, algorithm="reference")
        >>> model.history.plot().get_ylabel()
        'RMSE'
        """
        from fastmlp.showing.history_plot import plot_history

        return plot_history(self.epoch, self.rmse, self.val_rmse, self.rate_falls, ax)


def read_only_history(
    epoch: Array,
    rmse: Array,
    val_rmse: Array | None,
    snapshots: Mapping[int, Any],
    crossings: Array | None,
    rate_falls: tuple[int, ...] = (),
) -> History:
    """Return a history with these arrays, which become read-only."""
    _make_read_only(epoch, rmse, val_rmse, crossings)
    return History(epoch, rmse, val_rmse, dict(snapshots), crossings, rate_falls)


def _make_read_only(*arrays: Array | None) -> None:
    for array in arrays:
        if array is not None:
            array.flags.writeable = False


def rate_falls(lr_schedule: Sequence[tuple[int, float]] | None) -> tuple[int, ...]:
    """Return the epochs at which the pieces of a learning rate after the first one start."""
    return tuple(epoch for epoch, _ in lr_schedule[1:]) if lr_schedule is not None else ()


def record_at(history: History, epoch: int) -> int:
    """Return the index of the last recorded epoch that is not after `epoch`."""
    return int(np.searchsorted(history.epoch, epoch, side="right")) - 1

"""Records the errors of a fit while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastmlp.engines.engine import Array, Record
from fastmlp.models.history import History, read_only_history

if TYPE_CHECKING:
    from fastmlp.models.model import Model


def recorded_rmse(squared_error: Array, y_scale: Array) -> Array:
    """Return the RMSE in the units of y.

    Parameters
    ----------
    squared_error : ndarray of shape (..., n_out)
        Mean squared errors of the outputs, in the units of the training.
    y_scale : ndarray of shape (n_out,)
        Size of these units, in the units of y.
    """
    # Squares overflow for errors above 1e154 in the units of y and vanish below 1e-162: factor out the largest.
    error = np.asarray(np.sqrt(squared_error) * y_scale)
    if y_scale.size == 1:
        return error[..., 0]
    largest = np.where(error.max(axis=-1) > 0, error.max(axis=-1), 1.0)
    return np.asarray(largest * np.sqrt(np.mean((error / largest[..., None]) ** 2, axis=-1)))


class Recorder:
    """Collects the history of a fit.

    Attributes
    ----------
    epochs : int
        Number of epochs of the fit.
    n_out : int
        Number of outputs.
    snapshots : dict of int to Model
        Models by epoch.
    rate_falls : tuple of int
        Epochs at which the rate falls.
    """

    def __init__(
        self, epochs: int, record_every: int, y_scale: Array, *, counts_crossings: bool, validates: bool = False
    ) -> None:
        """Allocate the history.

        Parameters
        ----------
        epochs : int
            Number of epochs of the fit.
        record_every : int
            Epochs that are multiples of it are recorded, and the last epoch.
        y_scale : ndarray of shape (n_out,)
            Size of the units of the training, in the units of y.
        counts_crossings, validates : bool
            Whether the history has crossings, and validation RMSEs.
        """
        self._epoch = np.append(np.arange(0, epochs, record_every, dtype=np.int64), epochs)
        self._rmse = np.empty(self._epoch.size)
        self._val_rmse = np.empty(self._epoch.size) if validates else None
        self._crossings = np.empty(self._epoch.size, np.int64) if counts_crossings else None
        self._record_every = record_every
        self._y_scale = y_scale
        self.epochs = epochs
        self.n_out = y_scale.size
        self.snapshots: dict[int, Model] = {}
        self.rate_falls: tuple[int, ...] = ()

    def rmse(self, squared_error: Array) -> Array:
        """Return the RMSE in the units of y of (..., n_out) squared errors in the units of the training."""
        return recorded_rmse(squared_error, self._y_scale)

    def records(self, epoch: int) -> bool:
        """Return whether an epoch is a multiple of record_every."""
        return epoch % self._record_every == 0

    def next_recorded(self, epoch: int) -> int:
        """Return the first multiple of record_every after an epoch."""
        return (epoch // self._record_every + 1) * self._record_every

    def add(self, epoch: int, record: Record) -> tuple[Array, Array]:
        """Record the rows of the epochs epoch, epoch + 1, ...; return the recorded epochs and their RMSEs."""
        first = self._index(epoch)
        entries = self._put(first, record[first * self._record_every - epoch :: self._record_every])
        return self._epoch[entries], self._rmse[entries]

    def add_validation(self, epoch: int, val_rmse: float) -> None:
        """Record the validation RMSE of a recorded epoch."""
        assert self._val_rmse is not None
        self._val_rmse[self._index(epoch)] = val_rmse

    def val_rmse(self, epoch: int) -> float | None:
        """Return the validation RMSE of an epoch; None if the epoch is not a multiple of record_every."""
        assert self._val_rmse is not None
        return float(self._val_rmse[self._index(epoch)]) if self.records(epoch) else None

    def finish(self, epoch: int, last_row: Record) -> None:
        """End the history at an epoch, which need not be a multiple of record_every."""
        last = self._index(epoch)
        self._epoch = self._epoch[: last + 1].copy()
        self._rmse = self._rmse[: last + 1].copy()
        if self._val_rmse is not None:
            self._val_rmse = self._val_rmse[: last + 1].copy()
        if self._crossings is not None:
            self._crossings = self._crossings[: last + 1].copy()
        self._epoch[last] = epoch
        self._put(last, last_row)

    def history(self) -> History:
        """Return the history, after `finish`."""
        curves = self._epoch, self._rmse, self._val_rmse
        return read_only_history(*curves, self.snapshots, self._crossings, self.rate_falls)

    def so_far(self, epoch: int) -> History:
        """Return the history up to an epoch, as views that later epochs do not change."""
        n = epoch // self._record_every + 1
        val_rmse, crossings = (None if array is None else array[:n] for array in (self._val_rmse, self._crossings))
        curves = self._epoch[:n], self._rmse[:n], val_rmse
        return read_only_history(*curves, self.snapshots, crossings, self.rate_falls)

    def restore(self, history: History) -> None:
        """Return to an earlier history; raise a ValueError if it is of another fit."""
        n = history.epoch.size
        if not np.array_equal(history.epoch, self._epoch[:n]):
            raise ValueError("other epochs are recorded")
        self._rmse[:n] = history.rmse
        for own, its in ((self._val_rmse, history.val_rmse), (self._crossings, history.crossings)):
            if (own is None) != (its is None):
                raise ValueError("another history is recorded")
            if own is not None and its is not None:
                own[:n] = its
        self.snapshots = dict(history.snapshots)

    def shown(self, epoch: int, rmse: float) -> str:
        """Return the errors of an epoch for the progress bar, with the last validation RMSE."""
        text = f"RMSE {rmse:.3g}"
        return text if self._val_rmse is None else f"{text}, val_rmse {self._val_rmse[epoch // self._record_every]:.3g}"

    def _index(self, epoch: int) -> int:
        """Return the index of the first recorded epoch that is not before an epoch."""
        return -(-epoch // self._record_every)

    def _put(self, first: int, rows: Record) -> slice:
        """Record rows from index `first` on; return their indices."""
        entries = slice(first, first + len(rows.squared_error))
        self._rmse[entries] = self.rmse(rows.squared_error)
        if self._crossings is not None:
            self._crossings[entries] = rows.crossings
        return entries

"""What a fit leaves behind besides its weights: the curve of its error, and the models it passed through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastmlp.engines.engine import Array, Record
from fastmlp.models.history import History, read_only_history

if TYPE_CHECKING:
    from fastmlp.models.model import Model


class Recorder:
    """Collects the history of a fit while it runs."""

    def __init__(
        self, epochs: int, record_every: int, y_scale: Array, *, counts_crossings: bool, validates: bool = False
    ) -> None:
        """Make room for every record_every-th of the epochs and the last.

        y_scale (n_out,) is what one unit of the squared errors' root means in y's units. Without counts_crossings the
        history has no crossings, and without validates no val_rmse.
        """
        self._epoch = np.append(np.arange(0, epochs, record_every, dtype=np.int64), epochs)
        self._rmse = np.empty(self._epoch.size)
        self._val_rmse = np.empty(self._epoch.size) if validates else None
        self._crossings = np.empty(self._epoch.size, np.int64) if counts_crossings else None
        self._record_every = record_every
        self._y_scale = y_scale
        self.n_out = y_scale.size
        self.snapshots: dict[int, Model] = {}

    def rmse(self, squared_error: Array) -> Array:
        """Return the RMSE in y's units of (..., n_out) squared errors in the units trained in."""
        # Squares of errors beyond 1e154 in y's units overflow and below 1e-162 vanish: take the largest out first.
        error = np.asarray(np.sqrt(squared_error) * self._y_scale)
        if self.n_out == 1:
            return error[..., 0]
        largest = np.where(error.max(axis=-1) > 0, error.max(axis=-1), 1.0)
        return np.asarray(largest * np.sqrt(np.mean((error / largest[..., None]) ** 2, axis=-1)))

    def records(self, epoch: int) -> bool:
        """Return whether an epoch is a multiple of record_every; the last one is kept besides."""
        return epoch % self._record_every == 0

    def next_recorded(self, epoch: int) -> int:
        """Return the first multiple of record_every after an epoch."""
        return (epoch // self._record_every + 1) * self._record_every

    def add(self, epoch: int, record: Record) -> tuple[Array, Array]:
        """Take the rows of epochs epoch, epoch + 1, ...; return the epochs recorded and their RMSE."""
        first = self._entry(epoch)
        entries = self._put(first, record[first * self._record_every - epoch :: self._record_every])
        return self._epoch[entries], self._rmse[entries]

    def add_validation(self, epoch: int, val_rmse: float) -> None:
        """Take the validation RMSE of an epoch that is recorded, or the last."""
        assert self._val_rmse is not None
        self._val_rmse[self._entry(epoch)] = val_rmse

    def finish(self, epoch: int, last_row: Record) -> None:
        """Let the history end at an epoch, which need not be a multiple of record_every."""
        last = self._entry(epoch)
        self._epoch = self._epoch[: last + 1].copy()
        self._rmse = self._rmse[: last + 1].copy()
        if self._val_rmse is not None:
            self._val_rmse = self._val_rmse[: last + 1].copy()
        if self._crossings is not None:
            self._crossings = self._crossings[: last + 1].copy()
        self._epoch[last] = epoch
        self._put(last, last_row)

    def so_far(self, epoch: int) -> History:
        """Return the history at the recorded epochs up to one, of which later records change nothing."""
        n = epoch // self._record_every + 1
        kept = (None if array is None else array[:n] for array in (self._val_rmse, self._crossings))
        val_rmse, crossings = kept
        return read_only_history(self._epoch[:n], self._rmse[:n], val_rmse, self.snapshots, crossings)

    def restore(self, history: History) -> None:
        """Go back to a history so far."""
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
        """Return an epoch's errors as the progress bar shows them: the validation RMSE is the last one taken."""
        text = f"RMSE {rmse:.3g}"
        return text if self._val_rmse is None else f"{text}, val_rmse {self._val_rmse[epoch // self._record_every]:.3g}"

    def _entry(self, epoch: int) -> int:
        """Return where an epoch stands, or the next that is recorded."""
        return -(-epoch // self._record_every)

    def _put(self, first: int, rows: Record) -> slice:
        entries = slice(first, first + len(rows.squared_error))
        self._rmse[entries] = self.rmse(rows.squared_error)
        if self._crossings is not None:
            self._crossings[entries] = rows.crossings
        return entries

    def history(self) -> History:
        """Return what was collected."""
        return read_only_history(self._epoch, self._rmse, self._val_rmse, self.snapshots, self._crossings)

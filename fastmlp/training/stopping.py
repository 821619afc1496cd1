"""When training ends before its last epoch, and which epoch was the best."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, Record


@dataclass
class Stopping:
    """The rules of one fit, and what it has seen of its errors.

    Attributes
    ----------
    at_crossing : bool
        Whether the first update that changes any unit's set of active samples is the last.
    patience : int or None
        Epochs without an improvement after which training ends; None: it does not.
    min_delta : float
        What an error must fall by, below that of the last improvement, to be one.
    best_epoch, best_error : int and float
        The recorded epoch of the lowest error so far, the first of several.
    """

    at_crossing: bool = False
    patience: int | None = None
    min_delta: float = 0.0
    best_epoch: int = 0
    best_error: float = math.inf
    _improved_epoch: int = 0
    _improved_error: float = math.inf

    def first_crossing(self, record: Record) -> int | None:
        """Return the first row of a record after an update that crossed, if that ends the fit."""
        if not self.at_crossing or record.crossings[-1] == record.crossings[0]:
            return None
        return int(np.argmax(record.crossings > record.crossings[0]))

    def ends_at(self, epochs: Iterable[int], errors: Iterable[float]) -> int | None:
        """Take the errors of recorded epochs, in turn; return the epoch that patience ends with, if one of them.

        An epoch may be given again.
        """
        if self.patience is None:
            return None
        for epoch, error in zip(epochs, errors, strict=True):
            if error < self.best_error:
                self.best_epoch, self.best_error = epoch, error
            if error < self._improved_error - self.min_delta:
                self._improved_epoch, self._improved_error = epoch, error
            elif epoch - self._improved_epoch >= self.patience:
                return epoch
        return None

    def state(self) -> Array:
        """Return what was seen so far; the epochs stay below 2^53."""
        return np.array([self.best_epoch, self.best_error, self._improved_epoch, self._improved_error])

    def restore(self, state: Array) -> None:
        """Go back to a state."""
        best_epoch, self.best_error, improved_epoch, self._improved_error = state.tolist()
        self.best_epoch, self._improved_epoch = int(best_epoch), int(improved_epoch)

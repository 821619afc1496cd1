"""Rules that end training before its last epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, Record


@dataclass
class StoppingRule:
    """The stopping rules of one fit, and the errors seen so far.

    Attributes
    ----------
    at_crossing : bool
        Whether to stop after the first update that changes the set of active samples of a unit.
    patience : int or None
        Number of epochs without improvement after which to stop. None never stops.
    min_delta : float
        Smallest decrease of the error, from that of the last improvement, that counts as an improvement.
    best_epoch, best_error : int, float
        The recorded epoch with the lowest error so far, the first of several, and that error.
    """

    at_crossing: bool = False
    patience: int | None = None
    min_delta: float = 0.0
    best_epoch: int = 0
    best_error: float = math.inf
    _improved_epoch: int = 0
    _improved_error: float = math.inf

    def first_crossing(self, record: Record) -> int | None:
        """Return the first row of a record after an update with a crossing, if a crossing ends the fit."""
        if not self.at_crossing or record.crossings[-1] == record.crossings[0]:
            return None
        return int(np.argmax(record.crossings > record.crossings[0]))

    def observe(self, epochs: Iterable[int], errors: Iterable[float]) -> int | None:
        """Take the errors of recorded epochs in order; return the epoch at which patience runs out, if any does.

        The same epoch may be given again.
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
        """Return what was seen so far. Epochs are exact in float64 because they stay below 2^53."""
        return np.array([self.best_epoch, self.best_error, self._improved_epoch, self._improved_error])

    def restore(self, state: Array) -> None:
        """Return to an earlier state."""
        best_epoch, self.best_error, improved_epoch, self._improved_error = state.tolist()
        self.best_epoch, self._improved_epoch = int(best_epoch), int(improved_epoch)

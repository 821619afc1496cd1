"""Checks of arguments.

Errors read ``<name> must be <rule>, got <value>.``, followed by a remedy if there is one. A wrong type is a TypeError,
a wrong value a ValueError, and a size beyond the memory a MemoryError.
"""

from fastmlp.checks.arrays import common_dtype, fractions, weights
from fastmlp.checks.data import Samples, inputs, require_inputs, samples
from fastmlp.checks.frames import Column, column_names, frame_columns, require_names
from fastmlp.checks.messages import counted, shortened, wording
from fastmlp.checks.rates import learning_rate
from fastmlp.checks.scalars import (
    at_least,
    choice,
    count,
    dtype,
    epoch_count,
    flag,
    generator,
    optional_flag,
    optional_names,
    real,
)
from fastmlp.checks.sizes import duration, fits_memory, gigabytes, memory, snapshots

__all__ = [
    "Column",
    "Samples",
    "at_least",
    "choice",
    "column_names",
    "common_dtype",
    "count",
    "counted",
    "dtype",
    "duration",
    "epoch_count",
    "fits_memory",
    "flag",
    "fractions",
    "frame_columns",
    "generator",
    "gigabytes",
    "inputs",
    "learning_rate",
    "memory",
    "optional_flag",
    "optional_names",
    "real",
    "require_inputs",
    "require_names",
    "samples",
    "shortened",
    "snapshots",
    "weights",
    "wording",
]

"""The options of a fit, each declared once: name, type, default and one line of documentation.

`fastmlp.fit`, `fastmlp.fit_many`, the estimator of `fastmlp.sklearn` and the command ``fastmlp fit`` take their options
from here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt


def option(default: Any, line: str) -> Any:
    """Declare an option with its default and one plain line of documentation."""
    return field(default=default, metadata={"line": line})


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The options of `fastmlp.fit` as a caller gives them, not yet checked."""

    hidden: int = option(1000, "Number of hidden units.")
    epochs: int = option(32000, "Number of updates, or of passes over the data with `batch_size`.")
    lr: float | Mapping[str, float] | Callable[[int], float] | str = option("auto", "Learning rate.")
    init: Any = option("balanced", "Initial weights, or the rule by which they are drawn.")
    rng: Any = option(None, "Source of the random numbers, as in `numpy.random.default_rng`.")
    standardize: bool | None = option(None, "Whether to train on standardised inputs and targets.")
    hidden_bias: bool = option(True, "Whether to train b1; otherwise it is 0.")
    output_bias: bool = option(True, "Whether to train b2; otherwise it is 0.")
    negative_slope: float = option(0.0, "Slope of the activation below 0; 0 is ReLU.")
    sample_weight: npt.ArrayLike | None = option(None, "Weights of the samples; ones by default.")
    optimizer: str = option("sgd", "The optimiser.")
    momentum: float = option(0.0, 'Heavy-ball momentum of "sgd".')
    nesterov: bool = option(False, "Whether to use Nesterov's momentum.")
    weight_decay: float = option(0.0, "L2 penalty on all weights and biases.")
    batch_size: int | None = option(None, "Samples in a mini-batch; all samples by default.")
    algorithm: str = option("auto", "The engine that trains.")
    dtype: npt.DTypeLike | None = option(None, "Floating-point type of the returned weights.")
    threads: int | None = option(None, "Number of threads; chosen automatically by default.")
    record_every: int | None = option(None, "Epochs between two recorded RMSEs; chosen automatically by default.")
    snapshots: Iterable[int] | None = option(None, "Epochs at which to keep a copy of the model.")
    stop_at_crossing: bool = option(False, "Whether to stop when a unit's set of active samples first changes.")
    validation: tuple[npt.ArrayLike, ...] | None = option(None, "Samples on which to record the RMSE, not trained on.")
    patience: int | None = option(None, "Epochs to wait for a smaller error before training stops.")
    min_delta: float = option(0.0, "Smallest decrease of the RMSE that counts as an improvement.")
    checkpoint: str | os.PathLike[str] | None = option(None, "File in which to save the state of the training.")
    checkpoint_every: float = option(60.0, "Seconds between two checkpoints.")
    resume: bool = option(False, "Whether to resume from the checkpoint, if there is one.")
    callback: Callable[[Any], bool | None] | None = option(None, "Function to call while training.")
    progress: bool | None = option(None, "Whether to show a progress bar.")

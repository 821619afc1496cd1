"""The rule by which gradients update the weights: optimiser and mini-batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastmlp import checks
from fastmlp.engines.engine import Settings
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.options import FitOptions
from fastmlp.starting.rate import Rate, group_rates

OPTIMIZERS = ("sgd", "adam")


class UpdateRule(NamedTuple):
    """The options of the optimiser, as in `fastmlp.fit`; batch_size is None for all samples at once."""

    optimizer: str
    momentum: float
    nesterov: bool
    weight_decay: float
    batch_size: int | None

    @property
    def is_plain(self) -> bool:
        """Whether it is gradient descent without momentum, weight decay and mini-batches."""
        return self.optimizer == "sgd" and not (self.momentum or self.weight_decay or self.batch_size)


def checked_update_rule(options: FitOptions, n_samples: int) -> UpdateRule:
    """Check the options of the optimiser."""
    optimizer = checks.choice("optimizer", options.optimizer, OPTIMIZERS)
    momentum = checks.at_least("momentum", options.momentum, 0.0)
    if momentum >= 1:
        raise ValueError(checks.wording("momentum", "below 1", repr(options.momentum)))
    if momentum and optimizer == "adam":
        rule, remedy = '0 with optimizer="adam"', "Adam has its own momentum."
        raise ValueError(checks.wording("momentum", rule, repr(options.momentum), remedy))
    nesterov = checks.flag("nesterov", options.nesterov)
    if nesterov and not momentum:
        raise ValueError(checks.wording("nesterov", "False without momentum", "True"))
    weight_decay = checks.at_least("weight_decay", options.weight_decay, 0.0)
    batch_size = None if options.batch_size is None else checks.count("batch_size", options.batch_size)
    is_batch = batch_size is not None and batch_size < n_samples
    return UpdateRule(optimizer, momentum, nesterov, weight_decay, batch_size if is_batch else None)


def engine_settings(
    rule: UpdateRule,
    lr: Rate | None,
    schedule: Callable[[int], float] | None,
    architecture: Architecture,
    dtype: np.dtype[np.floating],
    seed: int,
) -> Settings:
    """Return the settings of an engine.

    Parameters
    ----------
    rule : UpdateRule
        The optimiser.
    lr : float, dict, callable or None
        The learning rate.
    schedule : callable or None
        The factor of the rate by epoch.
    architecture : Architecture
        The form of the network.
    dtype : dtype
        The type that must be able to hold the rate.
    seed : int
        Seed of the order of the samples in mini-batches.
    """
    return Settings(
        rates=group_rates(lr, architecture, dtype),
        negative_slope=architecture.negative_slope,
        schedule=schedule,
        seed=seed,
        **rule._asdict(),
    )

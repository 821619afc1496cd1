"""The rule by which gradients update the weights: optimiser and mini-batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastmlp import checks
from fastmlp.engines.engine import Weights
from fastmlp.engines.optimizers import OPTIMIZERS
from fastmlp.starting.options import FitOptions

GRADIENT_STEPS = ("sgd", "adam")  # the optimisers that step along the gradient at a rate


class UpdateRule(NamedTuple):
    """The options of the optimiser, as in `fastmlp.fit`; batch_size is None for all samples at once."""

    optimizer: str
    momentum: float
    nesterov: bool
    weight_decay: float | dict[str, float]
    batch_size: int | None

    @property
    def is_plain(self) -> bool:
        """Whether it is gradient descent without momentum, weight decay and mini-batches."""
        return self.optimizer == "sgd" and not (self.momentum or self.weight_decay or self.batch_size)


def checked_update_rule(options: FitOptions, n_samples: int) -> UpdateRule:
    """Check the options of the optimiser."""
    optimizer = checks.choice("optimizer", options.optimizer, (*GRADIENT_STEPS, *OPTIMIZERS))
    momentum = checks.at_least("momentum", options.momentum, 0.0)
    if momentum >= 1:
        raise ValueError(checks.wording("momentum", "below 1", repr(options.momentum)))
    if momentum and optimizer == "adam":
        rule, remedy = '0 with optimizer="adam"', "Adam has its own momentum."
        raise ValueError(checks.wording("momentum", rule, repr(options.momentum), remedy))
    nesterov = checks.flag("nesterov", options.nesterov)
    if nesterov and not momentum:
        raise ValueError(checks.wording("nesterov", "False without momentum", "True"))
    weight_decay = _checked_weight_decay(options.weight_decay)
    batch_size = None if options.batch_size is None else checks.count("batch_size", options.batch_size)
    if optimizer in OPTIMIZERS:
        _require_no_gradient_steps(options, momentum)
    is_batch = batch_size is not None and batch_size < n_samples
    return UpdateRule(optimizer, momentum, nesterov, weight_decay, batch_size if is_batch else None)


def _require_no_gradient_steps(options: FitOptions, momentum: float) -> None:
    """Refuse the options of gradient steps for an optimiser with engines of its own."""
    given = {
        "lr": ('"auto"', not isinstance(options.lr, str)),  # other strings are refused with any optimiser
        "momentum": ("0", momentum != 0),
        "batch_size": ("None", options.batch_size is not None),
        "stop_at_crossing": ("False", options.stop_at_crossing is True),
    }
    if not OPTIMIZERS[options.optimizer].takes_many_steps:
        names = ("patience", "checkpoint", "snapshots")
        given |= {name: ("None", getattr(options, name) is not None) for name in names}
    for name, (default, is_given) in given.items():
        if is_given:
            rule, got = f'{default} with optimizer="{options.optimizer}"', repr(getattr(options, name))
            raise ValueError(checks.wording(name, rule, checks.shortened(got)))


def _checked_weight_decay(weight_decay: Any) -> float | dict[str, float]:
    """Return the weight decay, or that of each group: 0 for a group that a mapping does not name; 0 if all are 0."""
    if not isinstance(weight_decay, Mapping):
        return checks.at_least("weight_decay", weight_decay, 0.0)
    decays = dict.fromkeys(Weights._fields, 0.0)
    for group, value in weight_decay.items():
        if group not in decays:
            rule = 'a number or a mapping from "w1", "b1", "w2", "b2"'
            raise ValueError(checks.wording("weight_decay", rule, f"the key {group!r}"))
        decays[group] = checks.at_least(f"weight_decay[{group!r}]", value, 0.0)
    return decays if any(decays.values()) else 0.0

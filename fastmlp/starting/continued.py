"""The values that a fit keeps from a model whose training it continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastmlp.engines.engine import Weights
from fastmlp.starting.optimizer_state import OptimizerState
from fastmlp.starting.rate import Rate
from fastmlp.starting.scaling import Standardization


@dataclass(frozen=True, eq=False)
class Continued:
    """A model whose training a fit continues.

    Attributes
    ----------
    weights : Weights
        In the units of the data.
    negative_slope : float
        Slope of the activation below 0.
    feature_names, target_names : sequence of str or None
        Names of the inputs and outputs.
    maps : Standardization or None
        The maps to the coordinates that it was trained in; None if these were the units of the data.
    optimizer : str or None
        The optimiser that trained it; None if it was not trained by `fastmlp.fit`.
    lr : float, dict, callable or None
        The learning rate that it was trained with; None if it had none.
    lr_rule : {"auto", "constant", "callable"} or None
        The rule of that rate; None if it was given as a number or a mapping.
    base_lr : float or None
        The base rate of the rule.
    data_digest : str or None
        A hash of the samples that it was trained on.
    optimizer_state : OptimizerState or None
        The state of its optimiser; None if it is not known.
    """

    weights: Weights
    negative_slope: float
    feature_names: Sequence[str] | None
    target_names: Sequence[str] | None
    maps: Standardization | None
    optimizer: str | None
    lr: Rate | None
    lr_rule: str | None
    base_lr: float | None
    data_digest: str | None
    optimizer_state: OptimizerState | None

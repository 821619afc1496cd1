"""The check of the option lr."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Any

from fastmlp.checks.messages import wording
from fastmlp.checks.scalars import real
from fastmlp.engines.engine import scheduled_rate

RATES = 'a positive number, a mapping from "w1", "b1", "w2", "b2", a function of the epoch, "auto" or "constant"'


def learning_rate(lr: Any, trained: Mapping[str, bool]) -> float | dict[str, float] | Callable[[int], float] | str:
    """Check the option lr. `trained` says which groups of parameters are trained."""
    if isinstance(lr, str):
        if lr not in ("auto", "constant"):
            raise ValueError(wording("lr", RATES, repr(lr)))
        return lr
    if callable(lr):
        scheduled_rate(lr, 0)
        return lr  # type: ignore[no-any-return]
    if not isinstance(lr, Mapping):
        if not isinstance(lr, numbers.Real):
            raise TypeError(wording("lr", RATES, repr(lr)))
        rate = real("lr", lr)
        if rate <= 0:
            raise ValueError(wording("lr", "positive", repr(rate)))
        return rate
    rates = {}
    for key, value in lr.items():
        if key not in trained:
            raise ValueError(wording("lr", 'a mapping from "w1", "b1", "w2", "b2"', f"the key {key!r}"))
        rates[key] = real(f"lr[{key!r}]", value)
        if rates[key] < 0:
            raise ValueError(wording(f"lr[{key!r}]", "at least 0", repr(rates[key])))
    groups = [key for key, is_trained in trained.items() if is_trained]
    missing = [key for key in groups if key not in rates]
    if missing:
        raise ValueError(wording("lr", "a mapping that names every trained group", f"none for {missing}"))
    if not any(rates[key] for key in groups):
        raise ValueError(wording("lr", "positive for at least one trained group", f"{lr}"))
    return rates

"""Arguments that numpy.asarray does not convert to an array of numbers, each with the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastmlp.checks.messages import described, wording


def require_convertible(name: str, value: Any) -> None:
    """Refuse what numpy.asarray would convert to something else than an array of the numbers in it."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):  # numpy.asarray would ignore the mask
        got = f"{int(np.ma.getmaskarray(value).sum())} masked"
        raise ValueError(wording(name, "an array without masked entries", got, "Leave those samples out."))
    argument = name.split()[-1]  # "validation x" is called x
    if value is None:
        got, remedy = "None", ""
    elif _requires_grad(value):
        got, remedy = "a tensor that requires grad", f"Pass {argument}.detach()."
    elif hasattr(value, "toarray") and hasattr(value, "nnz"):
        got, remedy = "a sparse matrix", f"Pass {argument}.toarray()."
    elif hasattr(value, "collect") and hasattr(value, "collect_schema"):
        got, remedy = "a lazy frame", f"Pass {argument}.collect()."
    elif isinstance(value, Mapping):
        got, remedy = described(value), f"Pass its columns as numpy.column_stack(list({argument}.values()))."
    elif isinstance(value, (set, frozenset)):
        got, remedy = described(value), "Pass a list: a set has no order."
    elif isinstance(value, Iterable) and not (hasattr(value, "__array__") or hasattr(value, "__getitem__")):
        got, remedy = described(value), f"Pass list({argument})."
    else:
        return
    raise TypeError(wording(name, "an array of real numbers", got, remedy))


def _requires_grad(value: Any) -> bool:
    """Return whether a value is a tensor of PyTorch that requires grad, or a list or tuple with such a tensor."""
    entries = value[:1] if type(value) in (list, tuple) else (value,)
    return any(getattr(entry, "requires_grad", False) is True for entry in entries)

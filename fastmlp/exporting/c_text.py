"""What the C sources of nets have in common: their head, their tables, and how many bits an integer has room for."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import counted
from fastmlp.engines.engine import Array

if TYPE_CHECKING:
    from fastmlp.models.model import Model

INT_BITS = 31  # of a value in an int32, without its sign
WIDTH = 110


def description(model: Model, form: str) -> str:
    """Return the sentences that a source begins with."""
    counts = {"input": model.n_in, "hidden unit": model.n_hidden, "output": model.n_out}
    sizes = ", ".join(counted(count, noun) for noun, count in counts.items())
    text = f"A two-layer ReLU net, made by fastmlp {version('fastmlp')}: {sizes}, {form}."
    if model.x_range is not None:
        text += f" Trained on inputs in {', '.join(f'[{low:.6g}, {high:.6g}]' for low, high in model.x_range)}."
    return textwrap.fill(text, WIDTH, subsequent_indent="   ")


def definition(kind: str, name: str, array: Array, literal: Callable[[Any], str] = str) -> str:
    """Return the definition of a table of one or two dimensions."""
    sizes = "".join(f"[{size}]" for size in array.shape)
    rows = map(literal, array) if array.ndim == 1 else (row(map(literal, entries)) for entries in array)
    lines = textwrap.wrap(", ".join(rows), WIDTH, break_long_words=False, break_on_hyphens=False)
    values = "\n    ".join(lines)
    return f"static const {kind} {name}{sizes} = {{\n    {values}\n}};"


def row(values: Iterable[str]) -> str:
    """Return values in braces."""
    return "{" + ", ".join(values) + "}"


def floating_literal(number: str) -> Callable[[Any], str]:
    """Return how a number of that C type is written: with the fewest digits that give the same number back."""
    suffix = "f" if number == "float" else ""
    return lambda value: np.format_float_scientific(value, trim="0") + suffix


def room(n_bits: int, size: float) -> int:
    """Return the largest b for which size * 2^b, rounded, is below 2^n_bits."""
    return n_bits - 1 - math.floor(math.log2(size) + 1e-9) if size > 0 else n_bits


def scaled(array: Array, n_bits: int | Array) -> Array:
    """Return the integers array * 2^n_bits, rounded."""
    return np.rint(np.ldexp(array, n_bits)).astype(np.int64)


def half(shift: int) -> int:
    """Return what makes a shift to the right round to nearest."""
    return 1 << (shift - 1) if shift else 0

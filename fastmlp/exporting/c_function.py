"""What the two forms of a C function have in common: what the caller wants, and what a form returns."""

from __future__ import annotations

from dataclasses import dataclass

from fastmlp.engines.engine import Array


@dataclass(frozen=True)
class Request:
    """The name of the function, its numbers ("float", "double" or "fixed"), and whether it clamps its inputs."""

    name: str
    numbers: str
    clamp: bool


@dataclass(frozen=True)
class Function:
    """The definitions of a C function and its tables.

    `error_bound` (n_out,) bounds the difference between its outputs and those of the net in exact arithmetic, for
    inputs in the trained range. In fixed point it includes the rounding of the inputs, and an input is the integer
    input * 2^x_bits.
    """

    form: str
    definitions: str
    table_bytes: int
    error_bound: Array
    x_bits: list[int] | None = None
    y_bits: list[int] | None = None

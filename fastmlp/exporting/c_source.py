"""A net as a C function: checks the arguments and chooses the form, a table of breakpoints or a loop over the units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.checks import choice, flag, wording
from fastmlp.exporting import c_curve, c_layers
from fastmlp.exporting.c_fixed_point import FIXED_POINT
from fastmlp.exporting.c_function import Function, Request
from fastmlp.exporting.c_self_test import self_test
from fastmlp.exporting.c_text import comment, description, row
from fastmlp.exporting.clamping import trained_range
from fastmlp.nets.net import Net

NUMBERS = ("float", "double", "fixed")
# These match the pattern of an identifier, but no compiler accepts them as the name of a function.
C_KEYWORDS = frozenset(
    {
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern"),
        *("float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed"),
        *("sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"),
        *("_Bool", "_Complex", "_Imaginary"),
    }
)


@dataclass(frozen=True)
class Source:
    """The source of a C function, and the size of its tables in bytes."""

    text: str
    table_bytes: int


def c_source(net: Net, request: Request, errors: Mapping[str, Sequence[float]]) -> Source:
    """Return the source of a C function; see `Model.to_c`. `errors` are those on new data, by their description."""
    name, numbers = request.name, request.numbers
    rule = "a C identifier"
    if not isinstance(name, str):
        raise TypeError(wording("name", rule, repr(name)))
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in C_KEYWORDS:
        raise ValueError(wording("name", rule, repr(name)))
    if flag("clamp", request.clamp):
        trained_range(net, "clamp=True")
    form = c_curve if net.n_in == 1 else c_layers
    if choice("numbers", numbers, NUMBERS) != "fixed":
        function = form.floating(net, request)
    else:
        largest_x = np.abs(trained_range(net, 'numbers="fixed"')).max(axis=1)
        function = form.fixed(net, request, largest_x)
    parts = [comment(_paragraphs(net, function, request, errors)), _macros(function, name), function.definitions]
    return Source("\n".join(filter(None, parts)) + self_test(net, function, request), function.table_bytes)


def _paragraphs(net: Net, function: Function, request: Request, errors: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Yield the paragraphs of the comment at the top."""
    name = request.name
    yield description(net, function.form)
    for what, values in errors.items():
        yield f"{what}: {_numbers(values)}."
    clamped = " It clamps inputs to the trained range." if request.clamp else ""
    call = f"Call {name}(x, y): reads x[{net.n_in}], writes y[{net.n_out}]."
    yield f"{call}{clamped} Tables: {function.table_bytes} bytes."
    if net.x_range is not None:
        cause = "rounding, also of x" if request.numbers == "fixed" else "rounding"
        bound = f"at most {_numbers(function.error_bound)}"
        yield f"Within the trained range, outputs differ from those of the model by {bound}, because of {cause}."
    if request.numbers == "fixed":
        yield FIXED_POINT
    yield f"With {name.upper()}_SELF_TEST defined, int {name}_self_test(void) returns how many of ten rows fail."


def _macros(function: Function, name: str) -> str:
    """Return the scales of integers as macros, with the header that defines the integers."""
    if function.x_bits is None or function.y_bits is None:
        return ""
    scales = {"X": function.x_bits, "Y": function.y_bits}
    macros = "\n".join(f"#define {name.upper()}_{key}_BITS {row(map(str, bits))}" for key, bits in scales.items())
    return f"#include <stdint.h>\n\n{macros}\n"


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)

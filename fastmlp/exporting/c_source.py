"""A net as a C function: checks the arguments and chooses the form, a table of breakpoints or a loop over the units."""

from __future__ import annotations

import re

import numpy as np

from fastmlp.checks import choice, wording
from fastmlp.exporting import c_curve, c_layers
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


def c_source(net: Net, name: str, numbers: str) -> str:
    """Return the source of a C function; see `Model.to_c`."""
    rule = "a C identifier"
    if not isinstance(name, str):
        raise TypeError(wording("name", rule, repr(name)))
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in C_KEYWORDS:
        raise ValueError(wording("name", rule, repr(name)))
    if choice("numbers", numbers, NUMBERS) != "fixed":
        floating_source = c_curve.floating_source if net.n_in == 1 else c_layers.floating_source
        return floating_source(net, name, numbers)
    if net.x_range is None:
        raise ValueError('numbers="fixed" requires the range of the inputs. Fit the model, or create it with x_range.')
    fixed_source = c_curve.fixed_source if net.n_in == 1 else c_layers.fixed_source
    return fixed_source(net, name, np.abs(net.x_range).max(axis=1))

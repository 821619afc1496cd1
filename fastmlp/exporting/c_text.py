"""The text that all C sources share: the description, definitions of tables, and literals."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

import numpy as np

from fastmlp.checks import counted
from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net

LINE_WIDTH = 110


def comment(paragraphs: Iterable[str]) -> str:
    """Return a comment of C with some paragraphs, each of which begins on a new line."""
    lines = [textwrap.fill(text, LINE_WIDTH, initial_indent="   ", subsequent_indent="   ") for text in paragraphs]
    return f"/* {chr(10).join(lines).lstrip()} */"


def description(net: Net, form: str) -> str:
    """Return what a source contains; `form` says how the net is stored or evaluated."""
    counts = {"input": net.n_in, "hidden unit": net.n_hidden, "output": net.n_out}
    sizes = ", ".join(counted(count, noun) for noun, count in counts.items())
    text = f"A two-layer ReLU net, made by fastmlp {version('fastmlp')}: {sizes}, {form}."
    if net.x_range is not None:
        text += f" Trained on inputs in {', '.join(f'[{low:.6g}, {high:.6g}]' for low, high in net.x_range)}."
    for array, names in (("x", net.feature_names), ("y", net.target_names)):
        if names is not None:
            text += f" {array}: {', '.join(map(_in_comment, names))}."
    return text


def _in_comment(name: str) -> str:
    """Return a name in ASCII that cannot end a comment of C."""
    return ascii(name).replace("*/", "* /").replace("/*", "/ *")


def definition(kind: str, name: str, array: Array, literal: Callable[[Any], str] = str) -> str:
    """Return the definition of a table with one or two dimensions."""
    sizes = "".join(f"[{size}]" for size in array.shape)
    rows = map(literal, array) if array.ndim == 1 else (row(map(literal, entries)) for entries in array)
    lines = textwrap.wrap(", ".join(rows), LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
    values = "\n    ".join(lines)
    return f"static const {kind} {name}{sizes} = {{\n    {values}\n}};"


def row(values: Iterable[str]) -> str:
    """Return the initializer of one row, {a, b, ...}."""
    return "{" + ", ".join(values) + "}"


def floating_literal(number: str) -> Callable[[Any], str]:
    """Return a function that writes a value as a C literal, with the fewest digits that give the same value."""
    suffix = "f" if number == "float" else ""
    return lambda value: np.format_float_scientific(value, trim="0") + suffix


def clamp_statements(name: str, n_in: int, kind: str) -> str:
    """Return the statements that define the inputs within their range as the array `inside`."""
    return f"""    {kind} inside[{n_in}];
    for (i = 0; i < {n_in}; i++) {{
        inside[i] = x[i];
        if (inside[i] < {name}_range[i][0])
            inside[i] = {name}_range[i][0];
        if (inside[i] > {name}_range[i][1])
            inside[i] = {name}_range[i][1];
    }}
"""


def clip_statements(name: str, n_out: int) -> str:
    """Return the statements that clip y to the table of limits."""
    return f"""    for (k = 0; k < {n_out}; k++) {{
        if (y[k] < {name}_limits[k][0])
            y[k] = {name}_limits[k][0];
        if (y[k] > {name}_limits[k][1])
            y[k] = {name}_limits[k][1];
    }}
"""

"""Formats of results: Markdown tables, and times with three digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with text in the first column and numbers in the others, without a newline at the end."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def microseconds(seconds: float) -> str:
    """Return a time with three digits, in microseconds."""
    value = 1e6 * seconds
    return f"{value:,.0f} us" if value >= 100 else f"{value:.3g} us"

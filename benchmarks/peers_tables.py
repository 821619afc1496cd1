"""The texts that `peers.py` writes: the tables of the READMEs and of docs/speed.md, and PEERS.md with all sizes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.peers_cells import (
    CHECKED_EPOCHS,
    DTYPES,
    FASTMLP,
    FIRST_CALL_CELL,
    LEAST_EPOCHS,
    MOST_EPOCHS,
    MOST_PAIRS,
    TOLERANCES,
    TURN_SECONDS,
)
from benchmarks.rivals import RIVALS
from benchmarks.tables import markdown, microseconds

ROOT = Path(__file__).parent.parent
START, END = "<!-- peers: start -->\n", "<!-- peers: end -->\n"
PACKAGES = {  # the rivals of one package; where a table has one column for it, the fastest of them counts
    "NumPy": ("NumPy, the report's loop", "NumPy, preallocated"),
    "PyTorch": ("PyTorch, 1 thread", "PyTorch, 2 threads", "torch.compile, 1 thread"),
    "JAX": ("JAX, both cores",),
    "scikit-learn": ("scikit-learn",),
}
README_CELLS = (  # inputs, hidden, samples, dtype; the last is one where JAX is faster
    (1, 1000, 100, "float64"),
    (8, 100, 1000, "float64"),
    (64, 1000, 10_000, "float32"),
)
README_PACKAGES = ("NumPy", "PyTorch", "JAX")
README_COLUMNS = {
    "README.md": ("network and data", "fastmlp", *README_PACKAGES, "measured on"),
    "README.zh.md": ("网络与数据", "fastmlp", *README_PACKAGES, "测试环境"),
}
README_SIZE = {
    "README.md": "{} input{}, {:,} units, {:,} samples, {}",
    "README.zh.md": "{0} 个输入、{2:,} 个单元、{3:,} 个样本、{4}",
}
OVERVIEW_SIZES = (  # inputs, hidden, samples
    (1, 1000, 100),
    (1, 32, 10_000),
    (2, 32, 100),
    (2, 1000, 1000),
    (4, 32, 10_000),
    (8, 100, 1000),
    (8, 1000, 1000),
    (32, 1000, 1000),
    (64, 32, 100),
    (64, 1000, 10_000),
)

Measured = dict[str, Any]  # a cell as `peers_cells.measured` returns it


def size(cell: Measured) -> tuple[int, int, int]:
    """Return inputs, hidden units and samples."""
    return cell["inputs"], cell["hidden"], cell["samples"]


def median(cell: Measured, name: str) -> float | None:
    """Return the median time per epoch of a competitor in seconds, or None if it was not timed."""
    times = cell["competitors"].get(name, {}).get("seconds")
    return statistics.median(times) if times else None


def ratio(cell: Measured, name: str) -> float | None:
    """Return the time of a competitor divided by the time of fastmlp, or None if it was not timed."""
    time = median(cell, name)
    return None if time is None else time / median(cell, FASTMLP)


def best_rival(cell: Measured) -> str:
    """Return the name of the fastest rival."""
    return min((name for name in RIVALS if median(cell, name) is not None), key=lambda name: median(cell, name))


def fastest(cell: Measured, package: str) -> float | None:
    """Return the shortest time per epoch of the variants of a package in seconds, or None if none was timed."""
    times = [median(cell, name) for name in PACKAGES[package]]
    return min((time for time in times if time is not None), default=None)


def readme_table(content: dict[str, Any], readme: str) -> str:
    """Return the table of a README: microseconds per epoch at three sizes, with machine and date."""
    cells = by_size(content)
    machine = f"{content['processor']}, {content['conditions'].rsplit(', ', 1)[1].rstrip('.')}"
    rows = []
    for *shape, dtype in README_CELLS:
        cell = cells[(*shape, dtype)]
        times = [median(cell, FASTMLP), *(fastest(cell, package) for package in README_PACKAGES)]
        name = README_SIZE[readme].format(shape[0], "s" * (shape[0] > 1), *shape[1:], dtype)
        rows.append([name, *(shown(time and 1e6 * time) for time in times), machine])
    return f"{markdown(README_COLUMNS[readme], rows)}\n"


def overview(content: dict[str, Any]) -> str:
    """Return the table of docs/speed.md: the time of each package divided by the time of fastmlp, at some sizes."""
    cells = by_size(content)
    columns = ["inputs x units x samples", "fastmlp, us", *PACKAGES]
    tables = []
    for dtype in DTYPES:
        rows = []
        for shape in OVERVIEW_SIZES:
            cell = cells[(*shape, dtype)]
            own = median(cell, FASTMLP)
            times = [fastest(cell, package) for package in PACKAGES]
            ratios = [shown(None if time is None else time / own) for time in times]
            rows.append([" x ".join(f"{n:,}" for n in shape), shown(1e6 * own), *ratios])
        tables.append(f"### {dtype}\n\n{markdown(columns, rows)}")
    first = FIRST_CALL_CELL
    return (
        "\n\n".join(tables) + f"\n\n{summary(content)} {spread_summary(content)}\n\n"
        f"The first training of a process with an empty compile cache ({CHECKED_EPOCHS} epochs, {first.inputs} input, "
        f"{first.hidden:,} units, {first.samples:,} samples, imports included): {first_calls(content)}.\n\n"
        f"Versions and machine: {content['conditions']}\n"
    )


def by_size(content: dict[str, Any]) -> dict[tuple[Any, ...], Measured]:
    """Return the cells by inputs, hidden units, samples and precision."""
    return {(*size(cell), cell["dtype"]): cell for cell in content["results"]["cells"]}


def summary(content: dict[str, Any]) -> str:
    """Return a text with the number of cells in which fastmlp is the fastest, and the range of the ratios."""
    cells = content["results"]["cells"]
    ratios = [ratio(cell, best_rival(cell)) for cell in cells]
    worst = cells[ratios.index(min(ratios))]
    inputs, hidden, samples = size(worst)
    where = f"{inputs} inputs, {hidden:,} units and {samples:,} samples in {worst['dtype']} ({best_rival(worst)})"
    return (
        f"fastmlp is the fastest in {sum(r >= 1 for r in ratios)} of {len(cells)} measured combinations of size and "
        f"precision. The fastest rival takes between {shown(min(ratios))} and {shown(max(ratios))} times as long as "
        f"fastmlp. The ratio is smallest at {where}."
    )


def spread_summary(content: dict[str, Any]) -> str:
    """Return a text with the number of rounds and the spread of their times."""
    cells = content["results"]["cells"]
    timed = [result["seconds"] for cell in cells for result in cell["competitors"].values() if "seconds" in result]
    spreads = sorted(spread(seconds) for seconds in timed)
    return (
        f"Times are medians of {max(map(len, timed))} interleaved rounds. Half the range of the rounds is typically "
        f"{spreads[len(spreads) // 2]:.0%} of the median, and above {spreads[int(0.9 * len(spreads))]:.0%} for one "
        "time in ten."
    )


def first_calls(content: dict[str, Any]) -> str:
    """Return a text with the times of the first calls of processes, by competitor."""
    texts = []
    for name, seconds in content["results"]["first_calls"].items():
        extremes = f" ({min(seconds):.1f} - {max(seconds):.1f})" if len(seconds) > 1 else ""
        texts.append(f"{name} {statistics.median(seconds):.1f} s{extremes}")
    return ", ".join(texts)


def page(content: dict[str, Any]) -> str:
    """Return the page with the whole map."""
    cells = sorted(content["results"]["cells"], key=size)
    parts = [
        "# Speed of fastmlp, NumPy, PyTorch, JAX and scikit-learn: all sizes",
        "`make peers` measures these times and writes this page from `peers.json`.",
        f"{summary(content)} {spread_summary(content)} {content['conditions']}",
        "![Heat map by inputs and hidden units: the time of the fastest rival divided by that of fastmlp](peers.png)",
        "## What was measured",
        method(),
        "## Where a rival wins",
        losses(cells),
        "## First calls",
        f"The first {CHECKED_EPOCHS} epochs of the report's net in a new process with an empty compile cache take, "
        f"imports included: {first_calls(content)}.",
        "The next table is from the process that measured all sizes. There fastmlp loads its kernels from Numba's "
        "cache, and each rival is imported once.",
        markdown(["competitor", "first call, median of all cells", "longest"], first_call_rows(cells)),
    ]
    for dtype in DTYPES:
        rows = [map_row(cell) for cell in cells if cell["dtype"] == dtype]
        columns = ["inputs, hidden, samples", "fastmlp, per epoch", *RIVALS, "best rival"]
        parts += [f"## {dtype}", markdown(columns, rows)]
    return "\n\n".join(parts) + "\n"


def losses(cells: Iterable[Measured]) -> str:
    """Return a line for each number of inputs, precision and rival that was faster than fastmlp in some cells."""
    regions: dict[tuple[int, str], list[Measured]] = {}
    for cell in cells:
        regions.setdefault((cell["inputs"], cell["dtype"]), []).append(cell)
    lines = []
    for (inputs, dtype), region in sorted(regions.items()):
        for rival in RIVALS:
            won = [cell for cell in region if best_rival(cell) == rival and ratio(cell, rival) < 1]
            if won:
                sizes = ", ".join(
                    f"{cell['hidden']:,} x {cell['samples']:,} ({1 / ratio(cell, rival):.2f} times)" for cell in won
                )
                lines.append(f"- {inputs} inputs, {dtype}: {rival} wins at {len(won)} of {len(region)} sizes: {sizes}.")
    if not lines:
        return "At none of these sizes."
    return "Sizes are units x samples. After each size is the factor by which the rival is faster.\n\n" + "\n".join(
        lines
    )


def method() -> str:
    """Return a text that describes what was timed, and when a time was accepted."""
    tolerances = ", ".join(f"{tolerance:g} in {dtype}" for dtype, tolerance in TOLERANCES.items())
    return f"""\
- The first column of numbers is the time per epoch of fastmlp. The other columns are the times of the rivals divided by
  it: below 1 the rival is faster. After each number is half the range of its rounds.
- All competitors start from the same weights and train on the same data: smooth targets at normally distributed inputs.
  The learning rate is 1 / lambda_max and there is no output bias. scikit-learn always trains an output bias, so it is
  compared with a fit of fastmlp that has one.
- A time counts only if the RMSE of each of {CHECKED_EPOCHS} epochs agrees with that of fastmlp to a relative tolerance
  ({tolerances}). Otherwise the table says `differs`.
- One timing is a training of about {TURN_SECONDS:g} s, that is {LEAST_EPOCHS} to {MOST_EPOCHS:,} epochs, after an equal
  training that is not timed. `fit` trains {MOST_EPOCHS:,} epochs by default. fastmlp is timed as a whole call of
  `fastmlp.fit`, with checks and history.
- With one input, later epochs of fastmlp take less time, because fewer kinks move. With one input, fastmlp computes in
  float64 even if the data is float32.
- fastmlp, NumPy, scikit-learn and torch.compile run on one core. JAX uses all cores, which is its default.
- torch.compile compiles loss, gradient and update as one step, with dynamic shapes.
- Sizes with more than {MOST_PAIRS:,} pairs of a sample and a unit are not measured. With ten times as many pairs,
  NumPy takes more than a second per epoch."""


def map_row(cell: Measured) -> list[str]:
    """Return a row of the map."""

    def with_spread(text: str, name: str) -> str:
        result = cell["competitors"].get(name, {})
        return f"{text} ±{spread(result['seconds']):.0%}" if "seconds" in result else "differs" if result else ""

    sizes = ", ".join(f"{n:,}" for n in size(cell))
    ratios = [with_spread(shown(ratio(cell, name)), name) for name in RIVALS]
    best = f"{shown(ratio(cell, best_rival(cell)))} ({best_rival(cell)})"
    return [sizes, with_spread(microseconds(median(cell, FASTMLP)), FASTMLP), *ratios, best]


def first_call_rows(cells: Iterable[Measured]) -> list[list[str]]:
    """Return a row for each competitor."""
    rows = []
    for name in (FASTMLP, *RIVALS):
        firsts = [cell["competitors"][name]["first"] for cell in cells if name in cell["competitors"]]
        if firsts:
            rows.append([name, f"{statistics.median(firsts):.3g} s", f"{max(firsts):.3g} s"])
    return rows


def spread(seconds: list[float]) -> float:
    """Return half the range of the times divided by their median."""
    return (max(seconds) - min(seconds)) / 2 / statistics.median(seconds)


def shown(value: float | None) -> str:
    """Return a ratio with two digits, without an exponent; an empty text for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def write_tables(content: dict[str, Any]) -> None:
    """Replace the tables between the markers of both READMEs and of the page on speed."""
    texts = {ROOT / name: readme_table(content, name) for name in README_COLUMNS}
    texts[ROOT / "docs" / "speed.md"] = overview(content)
    for path, text in texts.items():
        before, rest = path.read_text().split(START)
        _, after = rest.split(END)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(before + START + text + END + after)
        temporary.replace(path)

"""What `peers.py` writes about its results: the README's table and the page with the whole map."""

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

READMES = tuple(Path(__file__).parent.parent / name for name in ("README.md", "README.zh.md"))
START, END = "<!-- peers: start -->\n", "<!-- peers: end -->\n"
README_SIZES = (  # inputs, hidden, samples
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
    """Return a competitor's seconds per epoch, if it was timed."""
    times = cell["competitors"].get(name, {}).get("seconds")
    return statistics.median(times) if times else None


def ratio(cell: Measured, name: str) -> float | None:
    """Return how many times as long as fastmlp a competitor takes, if it was timed."""
    time = median(cell, name)
    return None if time is None else time / median(cell, FASTMLP)


def best_rival(cell: Measured) -> str:
    """Return the name of the fastest rival."""
    return min((name for name in RIVALS if median(cell, name) is not None), key=lambda name: median(cell, name))


def readme_table(content: dict[str, Any]) -> str:
    """Return some rows of the map, with what they mean."""
    cells = {(size(cell), cell["dtype"]): cell for cell in content["results"]["cells"]}
    rows = []
    for shape in README_SIZES:
        wide, narrow = (cells[shape, dtype] for dtype in DTYPES)
        ratios = [shown(ratio(wide, name)) for name in RIVALS]
        best = f"{shown(ratio(narrow, best_rival(narrow)))} ({best_rival(narrow)})"
        rows.append([", ".join(f"{n:,}" for n in shape), microseconds(median(wide, FASTMLP)), *ratios, best])
    columns = ["inputs, hidden, samples", "fastmlp, per epoch", *RIVALS, "float32: best rival"]
    return f"{markdown(columns, rows)}\n\n{readme_caption(content)}\n"


def readme_caption(content: dict[str, Any]) -> str:
    """Say what the README's table shows."""
    return (
        "Float64: time per epoch of fastmlp on one core, then how many times as long each rival takes; below 1 the "
        f"rival is faster. {summary(content)} {spread_summary(content)}\n\n"
        f"First training of a process that finds nothing compiled, {CHECKED_EPOCHS} epochs at "
        f"{', '.join(f'{n:,}' for n in (FIRST_CALL_CELL.inputs, FIRST_CALL_CELL.hidden, FIRST_CALL_CELL.samples))}, "
        f"imports included: {first_calls(content)}. All sizes, and what was timed: "
        f"[benchmarks/PEERS.md](benchmarks/PEERS.md). {content['conditions']}"
    )


def summary(content: dict[str, Any]) -> str:
    """Count the cells that fastmlp wins and name the one that it loses most clearly."""
    cells = content["results"]["cells"]
    ratios = [ratio(cell, best_rival(cell)) for cell in cells]
    worst = cells[ratios.index(min(ratios))]
    where = f"{', '.join(f'{n:,}' for n in size(worst))} in {worst['dtype']} ({best_rival(worst)})"
    return (
        f"Of {len(cells)} sizes and precisions measured, fastmlp is the fastest in {sum(r >= 1 for r in ratios)}; the "
        f"best rival takes {shown(max(ratios))} times as long at best, and {shown(min(ratios))} times at worst, at "
        f"{where}."
    )


def spread_summary(content: dict[str, Any]) -> str:
    """Say how many rounds there were and how far apart their times are."""
    cells = content["results"]["cells"]
    timed = [result["seconds"] for cell in cells for result in cell["competitors"].values() if "seconds" in result]
    spreads = sorted(spread(seconds) for seconds in timed)
    return (
        f"Medians of {max(map(len, timed))} interleaved rounds; half of their range is "
        f"{spreads[len(spreads) // 2]:.0%} of the median in the middle case, over "
        f"{spreads[int(0.9 * len(spreads))]:.0%} in one of ten."
    )


def first_calls(content: dict[str, Any]) -> str:
    """Return the first calls of processes, by competitor, with their range."""
    texts = []
    for name, seconds in content["results"]["first_calls"].items():
        extremes = f" ({min(seconds):.1f} - {max(seconds):.1f})" if len(seconds) > 1 else ""
        texts.append(f"{name} {statistics.median(seconds):.1f} s{extremes}")
    return ", ".join(texts)


def page(content: dict[str, Any]) -> str:
    """Return the page with the whole map."""
    cells = sorted(content["results"]["cells"], key=size)
    parts = [
        "# fastmlp and its peers, over sizes and precisions",
        "Written by `python -m benchmarks.peers` (`make peers`) from `peers.json`.",
        f"{summary(content)} {spread_summary(content)} {content['conditions']}",
        "![Heat map of the best rival's time over that of fastmlp](peers.png)",
        method(),
        "## Where a rival wins",
        losses(cells),
        "## First calls",
        f"In a process that finds nothing compiled, {CHECKED_EPOCHS} epochs of the report's net, imports included: "
        f"{first_calls(content)}. In the process that measured the map, where fastmlp finds its kernels in the cache "
        "of Numba and each rival is imported once:",
        markdown(["competitor", "first call, median of all cells", "longest"], first_call_rows(cells)),
    ]
    for dtype in DTYPES:
        rows = [map_row(cell) for cell in cells if cell["dtype"] == dtype]
        columns = ["inputs, hidden, samples", "fastmlp, per epoch", *RIVALS, "best rival"]
        parts += [f"## {dtype}", markdown(columns, rows)]
    return "\n\n".join(parts) + "\n"


def losses(cells: Iterable[Measured]) -> str:
    """Return a line for each number of inputs, precision and rival that was the fastest somewhere."""
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
                where = f"{len(won)} of {len(region)} sizes, hidden x samples {sizes}"
                lines.append(f"- {inputs} inputs, {dtype}: {rival} is the fastest at {where}.")
    return "\n".join(lines) or "Nowhere on this map."


def method() -> str:
    """Say what was timed, and what counts."""
    tolerances = ", ".join(f"{tolerance:g} in {dtype}" for dtype, tolerance in TOLERANCES.items())
    return f"""\
- Time per epoch of fastmlp, then of each rival as a multiple of it (below 1 the rival is faster), each with half of the
  range of its rounds.
- All start from the same weights, on the same data (smooth targets at normal inputs), with the rate 1 / lambda_max and
  no output bias. scikit-learn cannot leave out the output bias: it is held against a fit of fastmlp that has one.
- A time counts only if the RMSE of each of {CHECKED_EPOCHS} epochs agrees with that of fastmlp, relatively to
  {tolerances}; else the cell says `differs`.
- A turn is one training of about {TURN_SECONDS:g} s, of {LEAST_EPOCHS} to {MOST_EPOCHS:,} epochs (`fit` trains
  {MOST_EPOCHS:,} by default), from the start, after another of as many epochs. fastmlp is `fastmlp.fit` as a whole,
  with checks and history. With one input its epochs become cheaper the longer it trains, as fewer kinks move; and it
  computes in float64 whatever the precision asked for.
- fastmlp, NumPy, scikit-learn and torch.compile run on one core; JAX on all, as by default. torch.compile compiles
  loss, gradient and update as one step, with dynamic shapes.
- Left out are sizes of more than {MOST_PAIRS:,} pairs of a sample and a unit: at ten times as many, NumPy takes over a
  second per epoch."""


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
    """Return half of the range of times over their median."""
    return (max(seconds) - min(seconds)) / 2 / statistics.median(seconds)


def shown(value: float | None) -> str:
    """Return a ratio with two digits, without an exponent; nothing for none."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def write_readme(content: dict[str, Any]) -> None:
    """Replace what stands between the markers of the README, in both languages."""
    for readme in READMES:
        before, rest = readme.read_text().split(START)
        _, after = rest.split(END)
        temporary = readme.with_suffix(".tmp")
        temporary.write_text(before + START + readme_table(content) + END + after)
        temporary.replace(readme)

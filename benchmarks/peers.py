"""Compare the speed of fastmlp, NumPy, PyTorch, JAX and scikit-learn at many sizes, in both precisions.

    python -m benchmarks.peers            all sizes, within an hour: writes peers.json, PEERS.md and peers.png beside
                                          this file, and the tables of the READMEs and of docs/speed.md
    python -m benchmarks.peers --quick    a few sizes, within three minutes: writes the first three files to out/peers

Results are saved after each size. A second run with the same versions on the same processor continues from the saved
results; delete peers.json to measure everything again. Rivals that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.conditions import save, saved
from benchmarks.peers_cells import DTYPES, FIRST_CALLED, Cell, first_calls, measured, size_map
from benchmarks.peers_picture import draw
from benchmarks.peers_tables import page, summary, write_tables
from benchmarks.rivals import RIVALS, left_out

QUICK_SIZES = ((1, 1000, 100), (32, 100, 1000))  # inputs, hidden, samples
QUICK_CELLS = [Cell(*size, dtype) for size in QUICK_SIZES for dtype in DTYPES]


def measure(cells: Sequence[Cell], path: Path, *, rounds: int, processes: int) -> None:
    """Measure the cells that are not in the file at path yet, and the first calls of some processes."""
    results: dict[str, Any] = saved(path) or {"cells": [], "first_calls": {}}
    reasons = left_out(RIVALS)
    for name, reason in reasons.items():
        print(f"{name} is left out: {reason}")
    names = [name for name in RIVALS if name not in reasons]
    known = [{name: entry[name] for name in Cell.__annotations__} for entry in results["cells"]]
    missing = [cell for cell in cells if vars(cell) not in known]
    if known:
        print(f"{len(cells) - len(missing)} of {len(cells)} cells are already measured. Delete {path} to repeat them.")
    for cell in tqdm(missing, unit="cell"):
        results["cells"].append(measured(cell, names, rounds))
        save(path, results)
    if not results["first_calls"]:
        results["first_calls"] = first_calls([name for name in FIRST_CALLED if name not in reasons], processes)
        save(path, results)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few cells; results go to out/peers")
    quick = parser.parse_args(arguments).quick
    folder = Path("out/peers") if quick else Path(__file__).parent
    path = folder / "peers.json"
    if quick:
        measure(QUICK_CELLS, path, rounds=3, processes=1)
    else:
        measure(size_map(), path, rounds=3, processes=3)
    content = json.loads(path.read_text())
    (folder / "PEERS.md").write_text(page(content))
    draw(content, folder / "peers.png")
    if not quick:
        write_tables(content)
    print(f"{summary(content)} {folder / 'PEERS.md'}, {folder / 'peers.png'}")


if __name__ == "__main__":
    main()

"""Test the reliability of fits: interrupt and kill them, damage files, exhaust disk and memory, run many at once.

The script counts the trials that lost a result, and returns 1 if there are any. It takes a few minutes. With --quick,
it runs only a few trials of each kind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from reliability_trials import (
    Trial,
    bad_inputs,
    cold_processes,
    full_disk,
    fuzz,
    interrupts,
    kills,
    memory_limits,
    pools,
    threads,
)

from fastmlp.versions import versions

KINDS = ("univariate", "few", "many", "reference", "thread", "joblib")


def trials(folder: Path, *, quick: bool) -> Iterator[Callable[[], Trial]]:
    """Yield the trials."""
    for kind in KINDS:
        times = 1 if kind == "joblib" else 3 if quick else 25
        yield partial(interrupts, kind, times)
    (folder / "kills").mkdir()
    yield partial(kills, 5 if quick else 100, folder / "kills")
    (folder / "full").mkdir()
    yield partial(full_disk, 3 if quick else 100, folder / "full")
    yield partial(fuzz, 400 if quick else 100_000)
    yield bad_inputs
    yield partial(threads, 1 if quick else 10)
    yield pools
    yield partial(memory_limits, (100,) if quick else (20, 50, 100, 200, 400))
    if not quick:
        yield partial(cold_processes, 8, folder / "cache")


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a few trials of each kind, none with an empty compile cache"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=Path("out/reliability"), help="folder of the table (%(default)s)"
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows, n_lost = [], 0
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for attempt in trials(Path(folder), quick=args.quick):
            begun = time.perf_counter()
            trial = attempt()
            n_lost += trial.n_lost
            seconds = f"{time.perf_counter() - begun:.0f}"
            rows.append((trial.name, f"{trial.n_tried:,}", str(trial.n_lost), seconds, trial.note))
            print(" | ".join(rows[-1]), flush=True)
    head = ("trial", "times", "lost", "seconds", "result")
    table = "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---", "--:", "--:", "--:", "---"), *rows))
    facts = ", ".join(f"{name} {version}" for name, version in versions().items())
    text = f"{table}\n\n{n_lost} lost; {time.perf_counter() - started:.0f} s in all; {facts}.\n"
    (args.out / "table.md").write_text(text)
    print(f"\n{text}\ntable.md in {args.out}")
    return int(n_lost > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Compare optimisers by their error against the time of one thread: those of fastmlp with each other and with others.

    python -m benchmarks.accuracy            all problems, in ten minutes; writes accuracy.json, .png and ACCURACY.md
    python -m benchmarks.accuracy --quick    a tenth of the time and one seed, to out/benchmarks

Packages that are not installed are left out. `make accuracy` unsets the variables that choose the kernels of OpenBLAS.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.accuracy_picture import draw
from benchmarks.accuracy_problems import Problem, all_problems
from benchmarks.accuracy_rivals import rival_methods
from benchmarks.accuracy_runs import own_methods
from benchmarks.accuracy_tables import overview, page
from benchmarks.conditions import save

ROOT = Path(__file__).parent.parent
SECONDS, SEEDS = 0.5, 3
QUICK_SECONDS, QUICK_SEEDS = 0.05, 1
UNSEEDED = ("fit_knots", "splrep", "LSQUnivariateSpline")
SLOW = ("pwlf",)  # takes seconds, so one seed is enough


def measured(problem: Problem, seeds: int, budget: float) -> dict[str, Any]:
    """Run all methods on a problem, once first to compile."""
    methods = own_methods(problem) | rival_methods(problem)
    for name in own_methods(problem):
        methods[name](problem, 0, 1e-3)
    curves = {}
    for name, method in methods.items():
        n_seeds = 1 if name in SLOW else seeds
        curves[name] = [asdict(method(problem, 0 if name in UNSEEDED else seed, budget)) for seed in range(n_seeds)]
    return {"text": problem.text, "n_samples": len(problem.x), "hidden": problem.hidden, "methods": curves}


def packages() -> dict[str, str]:
    """Return the versions of the packages that `conditions` does not name."""
    return {name: importlib.metadata.version(name) for name in ("scipy", "pwlf") if find_spec(name)}


def blas() -> str:
    """Return the libraries of linear algebra and their kernels."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "unknown, without threadpoolctl"
    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return ", ".join(sorted({f"{info['internal_api']} {info.get('architecture', '')}".strip() for info in found}))


def write(folder: Path) -> None:
    """Write the page and the figure of the results in a folder."""
    content = json.loads((folder / "accuracy.json").read_text())
    (folder / "ACCURACY.md").write_text(page(content))
    draw(content["results"]["problems"], content["conditions"], folder / "accuracy.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write the results, the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the time, and one seed")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help=f"seeds of each method ({SEEDS}; {QUICK_SEEDS} with --quick)"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help=f"time of each fit ({SECONDS}; {QUICK_SECONDS} with --quick)"
    )
    parser.add_argument("--problems", nargs="+", metavar="NAME", help="only these problems")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the results")
    args = parser.parse_args(arguments)
    out = args.out or (ROOT / "out" / "benchmarks" if args.quick else ROOT / "benchmarks")
    budget, seeds = (QUICK_SECONDS, QUICK_SEEDS) if args.quick else (SECONDS, SEEDS)
    budget, seeds = args.seconds or budget, args.seeds or seeds
    problems = {}
    for problem in all_problems():
        if args.problems is None or problem.name in args.problems:
            problems[problem.name] = measured(problem, seeds, budget)
            print(overview({problem.name: problems[problem.name]}).splitlines()[-1], flush=True)
            facts = {"budget": budget, "seeds": seeds, "blas": blas(), "packages": packages()}
            save(out / "accuracy.json", facts | {"problems": problems})
    write(out)
    print(f"\naccuracy.json, ACCURACY.md and accuracy.png in {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

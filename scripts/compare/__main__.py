"""Compare the estimators of fastmlp with those of scikit-learn on small tables, by cross-validation.

    make compare            25 minutes on two cores
    make compare QUICK=1    two minutes: five tables, three folds

The error is the R^2 of all predictions out of fold together. The time is the CPU time of a fit on one core. With
``--page``, the results replace those of the page docs/compare.md; otherwise they are in out/compare.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent), str(ROOT)]
import picture
import rivals
import running
import summary
import tables

from benchmarks.conditions import save

SETS = {"development": tables.development, "unseen": tables.unseen}
QUICK_ROWS = 150  # of the largest table of the quick run
PAGE = ROOT / "docs" / "compare.md"


def measure(arguments: argparse.Namespace, file: Path) -> None:
    """Run the comparison; write the results to a file after each score. Other scores in the file stay."""
    data = SETS[arguments.tables]()
    names, seeds, n_folds = arguments.methods, arguments.seeds, 5
    shapes = {name: list(x.shape) for name, (x, _) in data.items()}
    most_rows = arguments.most_rows
    if arguments.quick:
        names = [name for name in names if name != rivals.GRIDS]
        seeds, n_folds, most_rows = seeds[:1], 3, QUICK_ROWS
    data = {name: xy for name, xy in data.items() if len(xy[1]) <= most_rows}
    earlier = json.loads(file.read_text())["results"] if file.exists() else {"folds": n_folds, "scores": []}
    if earlier["folds"] != n_folds:
        raise ValueError(f"{file} has {earlier['folds']} folds, not {n_folds}. Remove it first.")
    found = {(score["table"], score["method"], score["seed"]): score for score in earlier["scores"]}
    started = time.time()
    for score in running.scores(data, seeds, names, n_folds, arguments.jobs):
        print(f"{time.time() - started:5.0f} s  {score.table:14} {score.method:20} {score.r2:.3f}", file=sys.stderr)
        found[score.table, score.method, score.seed] = dataclasses.asdict(score)
        used = {table: shape for table, shape in shapes.items() if any(key[0] == table for key in found)}
        save(file, {"folds": n_folds, "shapes": used, "scores": [found[key] for key in sorted(found)]})


def texts(content: dict[str, Any], name: str) -> dict[str, str]:
    """Return the parts of the page: a text for each mark."""
    results = content["results"]
    rows = {table: shape[0] for table, shape in results["shapes"].items()}
    return {
        f"{name} league": summary.league(results["scores"], rows),
        f"{name} tables": summary.by_table(results["scores"], results["shapes"]),
        f"{name} conditions": f"{results['folds']} folds. {content['conditions']}",
    }


def write_page(parts: dict[str, str]) -> None:
    """Put texts between their marks on the page."""
    page = PAGE.read_text()
    for mark, text in parts.items():
        between = re.compile(rf"(<!-- {mark} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        page, n_found = between.subn(lambda found, text=text: f"{found[1]}\n{text}\n{found[2]}", page)
        if n_found != 1:
            raise ValueError(f"{PAGE} must have the mark {mark!r} once, got {n_found}")
    PAGE.write_text(page)


def main() -> int:
    """Run the script."""
    names = list(rivals.methods(0, 1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", choices=SETS, default="development", help="which tables (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], metavar="S", help="seeds of the folds (0 1)")
    parser.add_argument("--most-rows", type=int, default=10**9, metavar="N", help="leave out tables with more rows")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes of one thread (%(default)s)")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=names,
        choices=names,
        metavar="NAME",
        help="methods to run; scores of others stay",
    )
    parser.add_argument("--quick", action="store_true", help="small tables, three folds, one seed")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out" / "compare", metavar="DIR", help="folder (out/compare)"
    )
    parser.add_argument("--page", action="store_true", help="replace the committed results and those of the page")
    parser.add_argument("--draw", action="store_true", help="with --page, from the committed results")
    arguments = parser.parse_args()
    name = arguments.tables
    file = (ROOT / "benchmarks" if arguments.page else arguments.out) / f"compare_{name}.json"
    if not arguments.draw:
        measure(arguments, file)
    content = json.loads(file.read_text())
    parts = texts(content, name)
    rows = {table: shape[0] for table, shape in content["results"]["shapes"].items()}
    pictures = file.parent
    picture.draw(content["results"]["scores"], rows, pictures / f"compare_{name}.png")
    if arguments.page:
        write_page(parts)
    print("\n\n".join(parts.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

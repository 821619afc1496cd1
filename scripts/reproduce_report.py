"""Repeat the five runs of the report with many seeds; compare the errors with the report, and the time with NumPy.

The report fits y = sin x at 100 points of [-pi, pi] with a two-layer ReLU net that has a hidden bias and no output
bias.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported

import numpy as np
from joblib import Parallel, delayed
from numpy_loop import difference_from_fastmlp, preallocated_loop, report_loop, seconds_per_epoch
from report_figures import draw_curves, draw_fit, draw_runs
from report_runs import RUNS, Run, X, Y, final_rmse, half_lines_rmse, train
from tqdm import tqdm

import fastmlp


class Timing(NamedTuple):
    """Times of a whole fit, and of one epoch of the report's NumPy loop and of the preallocated loop, in seconds."""

    fit: float
    report_epoch: float
    preallocated_epoch: float


LOOPS = (report_loop, preallocated_loop)
MAX_UNBIASED_SEEDS = 5  # without a bias, every long run ends at the same net
TIMING_REPETITIONS = 3
TIMED_LOOP_EPOCHS = 300
COMPARED_EPOCHS = 500
QUICK = 10  # --quick divides the epochs by this

CAVEATS = """\
The report does not state the settings of the runs with H = 500. Here they have the settings of the run with H = 1000.
So only the run with H = 1000 can be compared directly. Each number in the report comes from one run without a fixed
seed. Compare it with the range over seeds."""


def train_all(runs: list[Run], n_seeds: int, label: str, *, hidden_bias: bool) -> list[list[fastmlp.Model]]:
    """Train every run with n_seeds seeds on all cores; return the models by run, then by seed."""
    tasks = [(index, seed) for index in reversed(range(len(runs))) for seed in range(n_seeds)]  # long runs first
    fits = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(
        delayed(train)(runs[index], seed, hidden_bias=hidden_bias) for index, seed in tasks
    )
    models = dict(zip(tasks, tqdm(fits, label, len(tasks), unit="fit"), strict=True))
    return [[models[index, seed] for seed in range(n_seeds)] for index in range(len(runs))]


def time_runs(runs: list[Run], label: str) -> list[Timing]:
    """Time each run alone, in turn with the NumPy loops; return medians over the repetitions."""
    seconds: dict[Any, list[float]] = defaultdict(list)
    for _ in tqdm(range(TIMING_REPETITIONS), label, unit="round"):
        for run in runs:
            seconds[run].append(train(run, 0).info.fit_seconds)
        for loop, hidden in itertools.product(LOOPS, {run.hidden for run in runs}):
            seconds[loop, hidden].append(seconds_per_epoch(loop, X, Y, hidden, TIMED_LOOP_EPOCHS))
    median = {key: float(np.median(times)) for key, times in seconds.items()}
    return [Timing(median[run], *(median[loop, run.hidden] for loop in LOOPS)) for run in runs]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * (width - 1) + ":" for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def rmse_table(runs: list[Run], fits: list[list[fastmlp.Model]], unbiased: list[list[fastmlp.Model]]) -> str:
    """Return the table of errors."""
    head = ["hidden", "epochs", "report", "median", "min", "max", "report within", "median without hidden bias"]
    rows = []
    for run, complete, models, bare in zip(runs, RUNS, fits, unbiased, strict=True):
        rmse = final_rmse(models)
        within = "yes" if rmse.min() <= run.reported <= rmse.max() else "no"
        row = [f"{run.hidden}", f"{run.epochs}", f"{run.reported:.4f}"]
        row += [f"{value:.4f}" for value in (np.median(rmse), rmse.min(), rmse.max())]
        row += [within if run == complete else "other epochs", f"{np.median(final_rmse(bare)):.4f}"]
        rows.append(row)
    return markdown(head, rows)


def time_table(runs: list[Run], timings: list[Timing]) -> str:
    """Return the table of seconds."""
    head = ["hidden", "epochs", "fastmlp s", "NumPy s", "ratio", "buffered s", "ratio"]
    head += ["fastmlp us/epoch", "NumPy us/epoch", "buffered us/epoch"]
    rows = []
    for run, timing in zip(runs, timings, strict=True):
        per_epoch = (timing.fit / run.epochs, timing.report_epoch, timing.preallocated_epoch)
        fast, report, buffered = (run.epochs * seconds for seconds in per_epoch)
        row = [f"{run.hidden}", f"{run.epochs}", f"{fast:.3f}", f"{report:.2f}", f"{report / fast:.1f}"]
        row += [f"{buffered:.2f}", f"{buffered / fast:.1f}", *(f"{1e6 * seconds:.1f}" for seconds in per_epoch)]
        rows.append(row)
    return markdown(head, rows)


def page(
    runs: list[Run],
    fits: list[list[fastmlp.Model]],
    unbiased: list[list[fastmlp.Model]],
    timings: list[Timing],
    note: str,
) -> str:
    """Return the page with both tables and their explanations."""
    difference = difference_from_fastmlp(report_loop, X, Y, runs[-1].hidden, COMPARED_EPOCHS)
    versions = ", ".join(f"{name} {version}" for name, version in fits[0][0].info.versions.items())
    return f"""\
# The report's five runs{note}

{CAVEATS}

## RMSE, {len(fits[0])} seeds

{rmse_table(runs, fits, unbiased)}

Without a hidden bias ({len(unbiased[0])} seeds), the RMSE of a net cannot be below {half_lines_rmse():.4f}.

## Time in seconds, one thread

{time_table(runs, timings)}

NumPy is the report's loop, timed for {TIMED_LOOP_EPOCHS} epochs and extrapolated to the run. "Buffered" is the same
loop with preallocated arrays. All times are medians of {TIMING_REPETITIONS} repetitions.

From the same initial weights, the RMSE curves of the report's loop and of fastmlp differ by at most {difference:.1e} of
the RMSE ({COMPARED_EPOCHS} epochs, H = {runs[-1].hidden}).

{_processor()}; {versions}.
"""


def _processor() -> str:
    from llvmlite.binding import get_host_cpu_name

    return f"{os.cpu_count()} cores of type {get_host_cpu_name()}"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds for each run (20; 3 with --quick)")
    parser.add_argument("--quick", action="store_true", help=f"1/{QUICK} of the epochs")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/reproduce_report"),
        metavar="DIR",
        help="folder of the figures and the table (%(default)s)",
    )
    args = parser.parse_args()
    if args.seeds is None:
        args.seeds = 3 if args.quick else 20
    if args.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {args.seeds}")
    return args


def main() -> None:
    """Run the script."""
    args = parse_arguments()
    note = f" (quick: 1/{QUICK} of the epochs)" if args.quick else ""
    runs = [dataclasses.replace(run, epochs=run.epochs // QUICK) for run in RUNS] if args.quick else list(RUNS)
    args.out.mkdir(parents=True, exist_ok=True)

    train(Run(2, 2, 0.0), 0)  # compile now, so that no time below contains it
    timings = time_runs(runs, f"timing{note}")
    fits = train_all(runs, args.seeds, f"fits{note}", hidden_bias=True)
    unbiased = train_all(runs, min(args.seeds, MAX_UNBIASED_SEEDS), f"without bias{note}", hidden_bias=False)

    for run, complete, models in zip(runs, RUNS, fits, strict=True):
        draw_fit(run, models, note, args.out / f"fit_h{complete.hidden}_e{complete.epochs}.png")
    draw_curves(runs[-1], fits[-1], note, args.out / "rmse_h1000.png")
    draw_runs(runs, fits, half_lines_rmse(), note, args.out / "runs.png")
    text = page(runs, fits, unbiased, timings, note)
    (args.out / "table.md").write_text(text)
    print(text)
    print(f"figures and table.md in {args.out}{note}")


if __name__ == "__main__":
    main()

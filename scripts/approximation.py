"""Test the report's conclusion by experiment: with enough epochs and units the loss falls below any number.

The script trains nets on 100 points of [-pi, pi], for up to 3e7 epochs and with up to 100,000 hidden units. It draws
the RMSE at these points, to which the conclusion refers, and between them. It shows four results:

- With as many units as samples the loss is zero to rounding, after one solve. With fewer there is a best error.
- The RMSE falls as long as training continues, but not by a power law.
- It falls only if the rate stays stable while the largest eigenvalue of the Gauss-Newton matrix grows.
- Between the points, the RMSE is limited by the 100 samples, which do not determine the function there.

python scripts/approximation.py "exp(-x**2) * cos(5*x)"
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported

from approximation_figures import draw_epochs, draw_widths
from approximation_runs import FINE, POINTS, STEADIER, STEADY, Curve, Run, WidthSeries, samples, train_all
from approximation_tables import page
from approximation_units import draw_units, noise_text, unit_series, units_text

import fastmlp

SAWTOOTH = "x % 2 - 1"
LONGEST = 30_000_000
LONG = 3_000_000
WIDTHS = (10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
WIDTH_EPOCHS = (320, 3200, 32_000)
WIDTH_SEEDS = 3
WIDTH_FINE = 300  # points of the fine grid; FINE points would take longer than the training
QUICK = 1000  # --quick divides the epochs of the curves by this
QUICK_WIDTHS = 5


def epoch_runs(args: argparse.Namespace) -> list[Run]:
    """Return the runs for RMSE against epochs, the longest first."""
    runs = [
        ("sin(x)", LONGEST, 1.0),
        ("abs(x)", LONG, 1.0),
        ("x > 0", LONG, STEADY),
        (args.function, LONG, args.rate),
        (SAWTOOTH, LONG, STEADY),
        (SAWTOOTH, LONG, STEADIER),
        (SAWTOOTH, LONG // 10, 1.0),
    ]
    factor, fine = (QUICK, 1000) if args.quick else (1, FINE)
    return [Run(formula, epochs // factor, rate, args.seed, fine=fine) for formula, epochs, rate in runs]


def width_runs(args: argparse.Namespace) -> list[Run]:
    """Return the runs for RMSE against width, ordered by function, width and seed."""
    widths, epochs = (WIDTHS[:QUICK_WIDTHS], WIDTH_EPOCHS[0]) if args.quick else (WIDTHS, WIDTH_EPOCHS[-1])
    return [
        Run(formula, epochs, rate, args.seed + index, hidden, WIDTH_FINE, along_the_way=False)
        for formula, rate in (("sin(x)", 1.0), (args.function, args.rate))
        for hidden in widths
        for index in range(WIDTH_SEEDS)
    ]


def width_series(curves: Sequence[Curve]) -> list[WidthSeries]:
    """Group the curves of `width_runs` by function."""
    by_width = [list(curves[start : start + WIDTH_SEEDS]) for start in range(0, len(curves), WIDTH_SEEDS)]
    half = len(by_width) // 2
    return [WidthSeries(by_width[:half]), WidthSeries(by_width[half:])]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='A formula that begins with "-" goes last, after "--".',
    )
    parser.add_argument(
        "function", nargs="?", default="sin(3*x) + abs(x)/2", help="your own formula in x (%(default)s)"
    )
    parser.add_argument(
        "--rate",
        type=float,
        default=STEADY,
        metavar="MULTIPLE",
        help="learning rate for that formula, relative to the automatic rate (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the initial weights (%(default)s)")
    parser.add_argument(
        "--quick", action="store_true", help=f"train only 1/{QUICK} of the epochs, at small widths only"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the figures and the table (out/approximation, or out/approximation_quick)",
    )
    args = parser.parse_args()
    args.out = args.out or Path("out/approximation_quick" if args.quick else "out/approximation")
    if not 0 < args.rate < float("inf"):
        parser.error(f"--rate must be positive and finite, got {args.rate:g}")
    if args.seed < 0:
        parser.error(f"--seed must be at least 0, got {args.seed}")
    return args


def compile_kernels() -> None:
    """Train small and wide nets for one epoch, so that later times contain no compilation."""
    for hidden in (WIDTHS[0], 1000):
        fastmlp.fit(*samples("x", POINTS), hidden=hidden, epochs=1, rng=0, progress=False)


def run(args: argparse.Namespace) -> None:
    """Train, draw and tabulate everything."""
    samples(args.function, 2)
    args.out.mkdir(parents=True, exist_ok=True)
    note = f" (quick: 1/{QUICK} of the epochs, small widths)" if args.quick else ""
    compile_kernels()
    started = time.perf_counter()
    of_epochs, of_widths = epoch_runs(args), width_runs(args)
    curves = train_all([*of_epochs, *reversed(of_widths)], "training" + note)
    seconds = time.perf_counter() - started
    epoch_curves, width_curves = curves[: len(of_epochs)], curves[: len(of_epochs) - 1 : -1]
    series = width_series(width_curves)
    epochs = [epoch for epoch in WIDTH_EPOCHS if epoch <= of_widths[0].epochs]
    draw_epochs(epoch_curves, note, args.out / "epochs.png")
    draw_widths(series, epochs, note, args.out / "width.png")
    of_units = [unit_series(formula, quick=args.quick) for formula in ("sin(x)", args.function)]
    draw_units(of_units, note, args.out / "units.png")
    units = f"{units_text(of_units)}\n\n{noise_text(quick=args.quick)}"
    text = page(epoch_curves, series, epochs, units, seconds, note)
    (args.out / "table.md").write_text(text)
    print(text)
    print(f"figures and table.md in {args.out}{note}")


def main() -> int:
    """Run the script. For bad input it prints one line to stderr and returns 2."""
    args = parse_arguments()
    try:
        run(args)
    except (ValueError, MemoryError, OSError, fastmlp.DivergenceError) as error:
        print("approximation.py: error:", *str(error).split(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

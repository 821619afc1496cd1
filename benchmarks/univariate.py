"""Time the univariate engine: compared with NumPy and JAX, its methods with each other, and its choice with the best.

    python -m benchmarks.univariate table      the report's runs and published experiments, as a Markdown table
    python -m benchmarks.univariate picture    time per epoch against units and against samples, by method
    python -m benchmarks.univariate choices    the engine's choice against the best of its methods, over a grid

Each command writes its numbers as JSON to out/benchmarks, and `picture` also writes a figure. All competitors except
JAX use one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from benchmarks.conditions import conditions, save
from benchmarks.rivals import JAX, PREALLOCATED, REPORT, Task, jax_scan, left_out, preallocated, report
from benchmarks.tables import markdown, microseconds
from benchmarks.univariate_cases import Case, cases
from benchmarks.univariate_methods import AUTO, BY_NAME, DENSE, Start, compile_all, seconds_per_epoch
from benchmarks.univariate_picture import draw

FASTMLP = "fastmlp"
COMPARED_PAIRS = 1e8  # of samples and units, visited by a rival each time it is run
TOLERANCE = 1e-9  # of the RMSE, relative
LONGEST_NUMPY, LONGEST_DENSE = 1e8, 1e9  # pairs per epoch, in the picture
LONGEST_DENSE_CHOICE = 1e7
SIZES = (4, 16, 100, 400, 2000, 10_000, 100_000)  # of the choices, samples and units alike
MOST_PAIRS = 1e9
RATES = (1.0, 0.1, 0.01)
AIM = 1.5
METHODS = (DENSE, *BY_NAME)
LEAKY_RIVALS = {REPORT: report, PREALLOCATED: preallocated, JAX: jax_scan}  # those that know a slope below 0


def table(arguments: argparse.Namespace) -> None:
    """Time the cases, print the Markdown table and its caption."""
    rows = []
    for case in cases(arguments.limit, 10 if arguments.quick else 1):
        rows.append(timed(case, 1 if arguments.quick else case.rounds))
        print(f"{case.name}: {1e6 * rows[-1]['seconds'][FASTMLP]:.3g} us", flush=True)
    columns = ["case", "epochs", "fastmlp", REPORT, PREALLOCATED, JAX, "crossings", "live units, at the end"]
    print("\n" + markdown(columns, [as_texts(row) for row in rows]))
    print(
        "\nTime per epoch and, in brackets, its ratio to the time of fastmlp. Medians of interleaved rounds, float64. "
        'fastmlp: `model.info.fit_seconds` of whole fits with algorithm="univariate", without compilation. Others: '
        f"{COMPARED_PAIRS:.0e} / (N H) epochs, 2 to 1000; every RMSE agrees to {TOLERANCE:g} with that of fastmlp. "
        "JAX may use all cores, the others use one. Published: the authors' own float32 code on an AVX-512 server. "
        f"{conditions()}"
    )
    save(arguments.out / "univariate_table.json", rows)


def timed(case: Case, rounds: int) -> dict[str, Any]:
    """Check that all rivals compute the same training, and then time them and fastmlp in turn."""
    task = Task(case.x[:, None], case.y[:, None], case.weights, case.lr)
    n_compared = int(np.clip(COMPARED_PAIRS / case.n_pairs, 2, 1000))
    expected = fit(case, n_compared).history.rmse[:-1]
    installed = LEAKY_RIVALS.keys() - left_out(LEAKY_RIVALS)
    trainers = {name: make(task, case.negative_slope) for name, make in LEAKY_RIVALS.items() if name in installed}
    for name, train in trainers.items():
        np.testing.assert_allclose(train(n_compared), expected, rtol=TOLERANCE, err_msg=name)
    seconds: dict[str, list[float]] = {name: [] for name in (FASTMLP, *trainers)}
    for _ in range(rounds):
        model = fit(case, case.epochs)
        seconds[FASTMLP].append(model.info.fit_seconds / case.epochs)
        for name, train in trainers.items():
            started = time.perf_counter()
            train(n_compared)
            seconds[name].append((time.perf_counter() - started) / n_compared)
    return {
        "case": case.name,
        "epochs": case.epochs,
        "lr": case.lr,
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "rounds": seconds,
        "published": case.published,
        "method": model.info.method,
        "crossings": model.info.crossings,
        "live_units": model.info.live_units,
        "rmse": float(model.history.rmse[-1]),
    }


def fit(case: Case, epochs: int) -> fastmlp.Model:
    """Train with the settings of the case."""
    return fastmlp.fit(
        case.x,
        case.y,
        init=tuple(case.weights),
        epochs=epochs,
        lr=case.lr,
        output_bias=False,
        negative_slope=case.negative_slope,
        algorithm="univariate",
        dtype=np.float64,
        progress=False,
    )


def as_texts(row: dict[str, Any]) -> list[str]:
    """Return a row of the table."""
    seconds = row["seconds"]

    def cell(value: float | None) -> str:
        return "" if value is None else f"{microseconds(value)} ({value / seconds[FASTMLP]:,.3g})"

    name = row["case"] + (f"; published {cell(row['published'])}" if row["published"] else "")
    times = [microseconds(seconds[FASTMLP]), *(cell(seconds.get(rival)) for rival in (REPORT, PREALLOCATED, JAX))]
    live = "not counted" if row["live_units"] is None else f"{row['live_units']:,}"
    return [name, format(row["epochs"], ","), *times, format(row["crossings"], ","), live]


def picture(arguments: argparse.Namespace) -> None:
    """Time the methods along both axes and draw them."""
    powers = np.arange(4, 9 if arguments.quick else 13) / 2  # 1e2 .. 1e6 in half decades
    sizes = sorted({min(round(10**power), arguments.limit) for power in powers})
    axes: dict[str, Any] = {"units": [], "samples": []}
    for axis, points in axes.items():
        for size in sizes:
            n, n_hidden = (100, size) if axis == "units" else (size, min(1000, arguments.limit))
            start = Start(np.linspace(-np.pi, np.pi, n), n_hidden, 0.1)
            slow = {REPORT: LONGEST_NUMPY, DENSE: LONGEST_DENSE}
            names = [name for name in (*METHODS, REPORT) if start.n_pairs <= slow.get(name, np.inf)]
            seconds, method = seconds_per_epoch(start, names, 1 if arguments.quick else 3)
            points.append({"size": size, "method": method, "seconds": seconds})
            print(f"{size:,} {axis}: {', '.join(f'{k} {microseconds(s)}' for k, s in seconds.items())}", flush=True)
    left_out = (
        f"Left out: NumPy beyond {LONGEST_NUMPY:,.0f} pairs of a sample and a unit, dense beyond {LONGEST_DENSE:,.0f}."
    )
    print(left_out)
    save(arguments.out / "univariate_picture.json", axes)
    draw(axes, left_out, arguments.out / "univariate.png")


def choices(arguments: argparse.Namespace) -> None:
    """Compare the engine's choice with the best method on the grid; print the table and the worst ratios."""
    sizes = sorted({min(size, arguments.limit) for size in (SIZES[::3] if arguments.quick else SIZES)})
    grid = [(n, h, rate) for n in sizes for h in sizes if n * h <= MOST_PAIRS for rate in RATES]
    print(f"| N | H | rate | chosen | {' | '.join((AUTO, *METHODS))} | ratio |")
    print("| ---: | ---: | ---: | --- |" + " ---: |" * (len(METHODS) + 2))
    rows = []
    for n, n_hidden, rate in grid:
        start = Start(np.random.default_rng(n).uniform(-np.pi, np.pi, n), n_hidden, rate)
        names = METHODS if start.n_pairs <= LONGEST_DENSE_CHOICE else tuple(BY_NAME)
        seconds, method = seconds_per_epoch(start, names, 2 if arguments.quick else 5)
        ratio = seconds[AUTO] / min(seconds[name] for name in names)
        times = [microseconds(seconds[name]) if name in seconds else "" for name in (AUTO, *METHODS)]
        print(f"| {n:,} | {n_hidden:,} | {rate:g} | {method} | {' | '.join(times)} | {ratio:.2f} |", flush=True)
        rows.append({"n": n, "hidden": n_hidden, "rate": rate, "method": method, "seconds": seconds, "ratio": ratio})
    ratios = np.array([row["ratio"] for row in rows])
    print(
        f"\nTime of the engine's choice divided by that of the best method: at most {ratios.max():.2f}, median "
        f"{np.median(ratios):.2f}; {np.mean(ratios > AIM):.1%} of {ratios.size} cells are above {AIM}. Processor time, "
        f"medians of interleaved rounds after 1,000 epochs. {conditions()}"
    )
    save(arguments.out / "univariate_choices.json", rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run a subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for command in (table, picture, choices):
        sub = commands.add_parser(command.__name__, help=command.__doc__)
        sub.add_argument("--quick", action="store_true", help="fewer epochs, rounds or sizes")
        sub.add_argument("--limit", type=int, default=10**6, help="the most samples or units, cut down to it")
        sub.add_argument("--out", type=Path, default=Path("out/benchmarks"), help="folder of the results")
        sub.set_defaults(command=command)
    parsed = parser.parse_args(arguments)
    compile_all()
    parsed.command(parsed)


if __name__ == "__main__":
    main()

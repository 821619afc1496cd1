"""Time the engine that "auto" stands for against plain NumPy, side by side, and write the README's table.

NumPy is the report's loop (`scripts/numpy_loop.py`); both use one core. Each shape is timed in turn, A B A B, and the
medians are shown; the RMSE of both must agree before a time counts. The last rows are what NumPy wins.

    python benchmarks/against_numpy.py            print the table
    python benchmarks/against_numpy.py --readme   also write it into README.md
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before NumPy

import numpy as np
from llvmlite.binding import get_host_cpu_name

import fastmlp
from fastmlp.dense.engine import dense_engine
from fastmlp.engine import Problem, Rates, Record, Weights
from fastmlp.univariate.engine import Univariate

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from numpy_loop import report_loop

LR = 1e-4

# n_in, n_hidden, n_samples, n_out
SHAPES = [
    (1, 1000, 100, 1),
    (2, 64, 256, 1),
    (4, 32, 10_000, 1),
    (8, 256, 1000, 1),
    (8, 256, 1000, 10),
    (32, 512, 2000, 1),
    (64, 1024, 10_000, 1),
    (512, 256, 1000, 1),
]
ROUNDS = 7
ROUND_SECONDS = 0.2
TOLERANCES = {np.float32: 1e-4, np.float64: 1e-10}
README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- against_numpy: start -->\n", "<!-- against_numpy: end -->\n"


def start(shape: tuple[int, int, int, int], dtype: type) -> tuple[Problem, Weights]:
    """Return seeded data and weights."""
    n_in, n_hidden, n_samples, n_out = shape
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_samples, n_in)).astype(dtype)
    y = rng.normal(size=(n_samples, n_out)).astype(dtype)
    w1 = rng.normal(size=(n_in, n_hidden)) / np.sqrt(n_in)
    w2 = rng.normal(size=(n_hidden, n_out)) / np.sqrt(n_hidden)
    weights = (w1, rng.normal(size=n_hidden), w2, np.zeros(n_out))
    return Problem(x, y, np.full(n_samples, 1 / n_samples, dtype)), Weights(*(w.astype(dtype) for w in weights))


def trainers(shape: tuple[int, int, int, int], dtype: type) -> list[Callable[[int], np.ndarray]]:
    """Return NumPy's and fastmlp's way to train for a number of epochs; each gives the RMSE before every update."""
    problem, weights = start(shape, dtype)
    x = np.column_stack([problem.x, np.ones(len(problem.x), dtype)])
    w1 = np.vstack([weights.w1, weights.b1])
    engine_type = Univariate if shape[0] == 1 else dense_engine(shape[0], shape[3])

    def fastmlp_loop(n_epochs: int) -> np.ndarray:
        engine = engine_type(problem, weights, Rates(LR, LR, LR, 0.0), 0.0)
        record = Record.empty(n_epochs, shape[3])
        engine.advance(n_epochs, record)
        return np.sqrt(record.squared_error[:-1].mean(axis=1))

    return [lambda n_epochs: report_loop(x, problem.y, w1, weights.w2, LR, n_epochs), fastmlp_loop]


def seconds_per_epoch(train: Callable[[int], np.ndarray], n_epochs: int) -> float:
    """Time one training."""
    started = time.perf_counter()
    train(n_epochs)
    return (time.perf_counter() - started) / n_epochs


def compare(shape: tuple[int, int, int, int], dtype: type) -> tuple[float, float]:
    """Return the median seconds per epoch of NumPy and of fastmlp's engine."""
    both = trainers(shape, dtype)
    expected, got = (train(10) for train in both)
    np.testing.assert_allclose(got, expected, rtol=TOLERANCES[dtype])
    n_epochs = [max(10, int(ROUND_SECONDS / seconds_per_epoch(train, 10))) for train in both]
    rounds = [[seconds_per_epoch(*pair) for pair in zip(both, n_epochs, strict=True)] for _ in range(ROUNDS)]
    numpy_seconds, fastmlp_seconds = (statistics.median(column) for column in zip(*rounds, strict=True))
    return numpy_seconds, fastmlp_seconds


def first_fit(algorithm: str) -> float:
    """Return the seconds that the first fit of a process takes, of ten epochs, with an empty compile cache."""
    code = "import time, numpy as np, fastmlp; x = np.arange(100.0); started = time.perf_counter(); "
    code += f"fastmlp.fit(x, x, epochs=10, algorithm={algorithm!r}); print(time.perf_counter() - started)"
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        printed = subprocess.run(
            [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
        ).stdout
    return float(printed)


def shown(ratio: float) -> str:
    """Return a ratio with two digits, without an exponent."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def table() -> str:
    """Measure all shapes and return a Markdown table with its caption."""
    lines = [
        "| inputs, hidden, samples, outputs | NumPy loop, float64 | fastmlp float64 | ratio | ratio float32 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for shape in SHAPES:
        numpy_seconds, fastmlp_seconds = compare(shape, np.float64)
        ratio32 = np.divide(*compare(shape, np.float32))
        ratio = numpy_seconds / fastmlp_seconds
        times = f"{1e6 * numpy_seconds:,.1f} us | {1e6 * fastmlp_seconds:,.1f} us"
        lines.append(f"| {', '.join(f'{n:,}' for n in shape)} | {times} | {shown(ratio)} | {shown(ratio32)} |")
        print(lines[-1], flush=True)
    firsts = [[first_fit(algorithm) for algorithm in ("reference", "auto")] for _ in range(3)]
    numpy_first, fastmlp_first = (statistics.median(column) for column in zip(*firsts, strict=True))
    name = "first fit of a process, one input, 10 epochs, nothing compiled yet (`reference` for NumPy)"
    lines.append(f"| {name} | {numpy_first:.2f} s | {fastmlp_first:.2f} s | {shown(numpy_first / fastmlp_first)} | |")
    caption = (
        f"Time per epoch of the report's NumPy loop and of fastmlp, medians of {ROUNDS} interleaved rounds; "
        f"fastmlp {fastmlp.__version__} and "
        f"NumPy {np.__version__}, one core each; processor {get_host_cpu_name()}, {time.strftime('%Y-%m')}. "
        "Written by `benchmarks/against_numpy.py`."
    )
    return "\n".join(lines) + f"\n\n{caption}\n"


def main() -> None:
    """Print the table; with --readme write it between the README's markers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    arguments = parser.parse_args()
    text = table()
    print(text)
    if arguments.readme:
        before, rest = README.read_text().split(START)
        _, after = rest.split(END)
        temporary = README.with_suffix(".tmp")
        temporary.write_text(before + START + text + END + after)
        temporary.replace(README)


if __name__ == "__main__":
    main()

"""Compare the results of two revisions bit by bit: weights, histories and crossings of a fixed set of fits.

    python scripts/same_bits.py HEAD~1

This command runs the fits at HEAD~1 and in this checkout, in one process each. It lists the fits that differ, with the
largest relative difference. The bits of a fit depend on the processor, so they are not stored.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

Arrays = dict[str, np.ndarray]


def main() -> int:
    """Compare two revisions, or write the results of this checkout with --run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", nargs="?", default="HEAD~1", help="the revision to compare with (%(default)s)")
    parser.add_argument("--run", metavar="FILE", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        np.savez(args.run, **dict(_results()))
        return 0
    revision = subprocess.run(["git", "rev-parse", args.base], cwd=ROOT, capture_output=True, text=True, check=True)
    folder = ROOT / "out" / "same_bits" / revision.stdout.strip()
    if not folder.exists():
        command = ["git", "worktree", "add", "--detach", str(folder), args.base]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as temporary:
        before, after = Path(temporary, "before.npz"), Path(temporary, "after.npz")
        for checkout, file in ((folder, before), (ROOT, after)):
            environment = os.environ | {"PYTHONPATH": str(checkout)}
            command = [sys.executable, __file__, "--run", str(file)]
            subprocess.run(command, cwd=checkout, env=environment, check=True)
        return _compare(dict(np.load(before)), dict(np.load(after)))


def _compare(before: Arrays, after: Arrays) -> int:
    """Print the fits that differ; return 1 if there are any."""
    fits = sorted({name.split("/")[0] for name in before} | {name.split("/")[0] for name in after})
    n_same = 0
    for fit in fits:
        names = [name for name in before if name.split("/")[0] == fit]
        differing = [name for name in names if name not in after or before[name].tobytes() != after[name].tobytes()]
        n_same += not differing
        for name in differing:
            print(f"{name}: {_difference(before[name], after.get(name))}")
    print(f"{n_same} of {len(fits)} fits are bitwise equal.")
    return int(n_same < len(fits))


def _difference(before: np.ndarray, after: np.ndarray | None) -> str:
    if after is None or before.shape != after.shape:
        return "missing, or of another shape"
    if before.dtype.kind not in "fiu":
        return f"{before} became {after}"
    largest = np.abs(before.astype(np.float64)).max(initial=0.0)
    error = np.abs(after.astype(np.float64) - before.astype(np.float64)).max(initial=0.0)
    return f"largest difference {error / largest if largest else error:.1e} of the largest entry"


def _results() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of every fit under "fit/array"."""
    import fastmlp

    assert Path(fastmlp.__file__).is_relative_to(Path.cwd()), fastmlp.__file__
    for name, run in _fits().items():
        for i, model in enumerate(run()):
            for label, array in _arrays(model).items():
                yield f"{name}/{i}/{label}", array
        print(name, flush=True)


def _arrays(model: object) -> Arrays:
    arrays = {label: np.asarray(getattr(model, label)) for label in ("w1", "b1", "w2", "b2")}
    history = model.history
    arrays |= {"epoch": history.epoch, "rmse": history.rmse}
    if history.val_rmse is not None:
        arrays["val_rmse"] = history.val_rmse
    if history.crossings is not None:
        arrays["crossings"] = history.crossings
    for epoch, snapshot in history.snapshots.items():
        arrays[f"snapshot {epoch}"] = snapshot.w1
    return arrays | {"method": np.asarray(model.info.method), "epochs_run": np.asarray(model.info.epochs_run)}


def _line(n: int, frequency: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-np.pi, np.pi, n)
    return x, np.sin(frequency * x)


def _table(n: int, n_in: int, n_out: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + 1000 * n_in + n_out)
    x = rng.normal(size=(n, n_in))
    y = np.sin(x @ rng.normal(size=(n_in, n_out))) + 0.1 * rng.normal(size=(n, n_out))
    return x, y[:, 0] if n_out == 1 else y


def _fits() -> dict[str, Callable[[], list]]:
    """Return what is compared: each call by its name."""
    import fastmlp

    def one(x: np.ndarray, y: np.ndarray, **options: object) -> Callable[[], list]:
        return lambda: [fastmlp.fit(x, y, rng=0, progress=False, **options)]

    fits: dict[str, Callable[[], list]] = {}
    # Pattern moments, prefix sums and stretches of one input, whichever the engine chooses at these sizes.
    for n, hidden, epochs in ((100, 1000, 3000), (100, 30, 3000), (20, 300, 5000), (1000, 300, 1000), (5000, 20, 2000)):
        fits[f"sine {n} {hidden}"] = one(*_line(n), hidden=hidden, epochs=epochs)
        fits[f"sine {n} {hidden} report"] = one(*_line(n), hidden=hidden, epochs=epochs, lr=1e-3, init=0.3)
    fits["report without output bias"] = one(
        *_line(100), hidden=1000, epochs=5000, lr=1e-5, init=0.3, output_bias=False
    )
    fits["100,000 samples"] = one(*_line(100_000, 3), hidden=100, epochs=500)
    fits["30,000 samples, leaky"] = one(*_line(30_000, 3), hidden=50, epochs=500, negative_slope=0.1)
    for name, options in {
        "leaky": {"negative_slope": 0.2},
        "no hidden bias": {"hidden_bias": False},
        "no output bias": {"output_bias": False},
        "rates by group": {"lr": {"w1": 0.01, "b1": 0.02, "w2": 0.03, "b2": 0.0}},
        "momentum": {"momentum": 0.9, "lr": 0.01},
        "nesterov": {"momentum": 0.9, "nesterov": True, "lr": 0.01},
        "weight decay": {"weight_decay": 1e-3},
        "adam": {"optimizer": "adam", "lr": 1e-3},
        "adam, falling": {"optimizer": "adam", "lr": lambda epoch: 1e-2 / (1 + epoch)},
        "scheduled": {"lr": lambda epoch: 0.1 / (1 + 1e-3 * epoch)},
        "float32": {"dtype": np.float32},
        "he": {"init": "he"},
        "glorot": {"init": "glorot"},
        "not standardised": {"standardize": False},
        "dense": {"algorithm": "dense"},
        "dense, float32": {"algorithm": "dense", "dtype": np.float32},
        "reference": {"algorithm": "reference", "epochs": 200},
        "stops at a crossing": {"stop_at_crossing": True},
        "patience": {"patience": 20, "min_delta": 1e-4},
        "validation": {"validation": _line(37), "patience": 500},
        "snapshots": {"snapshots": [1, 10, 1000]},
    }.items():
        fits[f"sine {name}"] = one(*_line(120, 2), **({"hidden": 200, "epochs": 2000} | options))
    x, y = _line(90, 3)
    weight = np.linspace(0, 2, x.size)
    fits["weighted"] = one(x, y, hidden=150, epochs=3000, sample_weight=weight)
    fits["ties"] = one(np.round(x, 1), y, hidden=150, epochs=3000)
    fits["far from 0"] = one(x + 1e4, y, hidden=150, epochs=3000)
    fits["two outputs"] = one(x, np.stack([y, np.cos(x)], axis=1), hidden=150, epochs=3000)
    fits["two outputs, leaky, prefix sums"] = one(
        x, np.stack([y, np.cos(x)], axis=1), hidden=20, epochs=1000, negative_slope=0.1
    )
    fits["six outputs"] = one(x, np.stack([np.cos(k * x) for k in range(6)], axis=1), hidden=60, epochs=1000)
    fits["one sample"] = one(np.array([1.0]), np.array([2.0]), hidden=20, epochs=100)
    fits["one distinct x"] = one(np.ones(5), np.arange(5.0), hidden=20, epochs=100, negative_slope=0.1)
    for n, n_in, n_out, width in (
        (60, 2, 1, 30),
        (500, 3, 1, 100),
        (500, 8, 1, 64),
        (300, 9, 1, 40),
        (300, 16, 2, 50),
    ):
        for dtype in (np.float64, np.float32):
            label = f"{n} x {n_in}, {n_out}, {np.dtype(dtype)}"
            fits[label] = one(*_table(n, n_in, n_out), hidden=width, epochs=300, dtype=dtype)
    for name, options in {
        "two threads": {"threads": 2},
        "three threads": {"threads": 3},
        "momentum": {"momentum": 0.9, "lr": 0.01},
        "adam": {"optimizer": "adam"},
        "weight decay": {"weight_decay": 1e-3, "nesterov": True, "momentum": 0.5, "lr": 0.01},
        "leaky": {"negative_slope": 0.3},
        "batches": {"batch_size": 32, "lr": 0.01},
        "batches, adam, threads": {"batch_size": 32, "optimizer": "adam", "threads": 2},
        "no biases": {"hidden_bias": False, "output_bias": False},
        "weights": {"sample_weight": np.linspace(0, 1, 700)},
        "validation": {"validation": _table(50, 4), "patience": 30},
        "reference": {"algorithm": "reference", "epochs": 50},
    }.items():
        fits[f"four inputs, {name}"] = one(*_table(700, 4), **({"hidden": 100, "epochs": 200} | options))
    fits["twelve inputs, threads"] = one(*_table(700, 12), hidden=100, epochs=100, threads=2)

    def resumed() -> list:
        with tempfile.TemporaryDirectory() as folder:
            options = {"hidden": 50, "epochs": 4000, "rng": 0, "checkpoint": Path(folder, "fit"), "progress": False}
            fastmlp.fit(*_line(100), **options, checkpoint_every=0.0, callback=lambda info: info.epoch > 500)
            return [fastmlp.fit(*_line(100), **options, resume=True), fastmlp.load(Path(folder, "fit"))]

    def continued() -> list:
        first = fastmlp.fit(*_line(100), hidden=80, epochs=500, rng=0)
        return [fastmlp.fit(*_line(100), init=first, epochs=500, rng=0)]

    def many(**options: object) -> Callable[[], list]:
        jobs = [{} for _ in range(12)] + [{"hidden": 7}, {"optimizer": "adam"}]
        return lambda: list(fastmlp.fit_many(*_line(40, 2), jobs, rng=0, progress=False, **options).models)

    return fits | {
        "resumed": resumed,
        "continued": continued,
        "many": many(hidden=30, epochs=300),
        "many, two kinds of rates": many(hidden=30, epochs=300, lr=0.01, init=0.5),
        "many, dense": many(hidden=20, epochs=100, algorithm="dense"),
    }


if __name__ == "__main__":
    sys.exit(main())

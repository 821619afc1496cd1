"""Fit your own function: sample a training set and a test set, train, compute the test error and plot the fit.

python scripts/fit_function.py "sin(3*x) + abs(x)/2" --domain -2 2 --noise 0.1
python scripts/fit_function.py my_functions.py:staircase --hidden 200
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from formula import Formula

import fastmlp

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

FloatArray = npt.NDArray[np.float64]
Function = Callable[[FloatArray], npt.ArrayLike]

QUICK_EPOCHS = 2000
TEST_OFFSET = (5**0.5 - 1) / 2  # in cells of the grid; irrational, so that no test point is a training point


class InputError(ValueError):
    """Input that cannot be used; the message gives the reason in one line."""


class Samples(NamedTuple):
    """The training set with noise and the test set without noise; all arrays have shape (n,)."""

    x: FloatArray
    y: FloatArray
    x_test: FloatArray
    y_test: FloatArray


def load_function(text: str) -> Function:
    """Return the function given by a formula, or by a file and a name as in file.py:name."""
    place = re.fullmatch(r"(.+\.py):(\w+)", text)
    if place is None:
        return Formula(text)
    path, name = Path(place[1]), place[2]
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be loaded: {_in_one_line(error)}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"{path} has no function {name!r}")
    return function  # type: ignore[no-any-return]


def evaluate(function: Function, x: FloatArray) -> FloatArray:
    """Return the values of the function at x (n,); they must be n finite numbers."""
    try:
        y = np.asarray(function(x.copy()), dtype=np.float64)
    except Exception as error:
        raise InputError(f"the function fails: {_in_one_line(error)}") from error
    if y.shape != x.shape:
        raise InputError(f"the function must return an array of shape {x.shape}, got {y.shape}")
    bad = np.flatnonzero(~np.isfinite(y))
    if bad.size:
        raise InputError(f"the function must be finite, got {y[bad[0]]} at x = {x[bad[0]]:.6g}")
    return y


def check_options(args: argparse.Namespace) -> None:
    """Check the options of the sampling; `fastmlp.fit` checks the others."""
    low, high = args.domain
    if not (low < high and np.isfinite(high - low)):
        raise InputError(f"--domain A B must be finite with A < B, got {low:g} {high:g}")
    if min(args.train, args.test) < 1:
        raise InputError(f"--train and --test must be at least 1, got {args.train} and {args.test}")
    if not 0 <= args.noise < np.inf:
        raise InputError(f"--noise must be finite and at least 0, got {args.noise:g}")
    if args.seed < 0:
        raise InputError(f"--seed must be at least 0, got {args.seed}")


def sample(function: Function, args: argparse.Namespace, seeds: list[np.random.SeedSequence]) -> Samples:
    """Sample the training set and the test set with different seeds, and add noise with a third seed."""
    low, high = args.domain
    if args.sampling == "grid":
        x = np.linspace(low, high, args.train)
        x_test = low + (high - low) * (np.arange(args.test) + TEST_OFFSET) / args.test
    else:
        x, x_test = (
            np.sort(np.random.default_rng(seed).uniform(low, high, size))
            for seed, size in zip(seeds, (args.train, args.test), strict=False)
        )
    noise = args.noise * np.random.default_rng(seeds[2]).standard_normal(args.train)
    return Samples(x, evaluate(function, x) + noise, x_test, evaluate(function, x_test))


def draw(model: fastmlp.Model, data: Samples, title: str, path: Path) -> None:
    """Draw the fit, its error and its loss curve."""
    figure, axes = plt.subplot_mosaic(
        [["fit", "loss"], ["residual", "loss"]],
        figsize=(12, 6.5),
        layout="constrained",
        width_ratios=[1.5, 1],
        height_ratios=[2, 1],
    )
    figure.suptitle(title, parse_math=False)
    draw_fit(axes["fit"], model, data)
    draw_residual(axes["residual"], model, data)
    draw_loss(axes["loss"], model, data)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_fit(ax: Axes, model: fastmlp.Model, data: Samples) -> None:
    """Draw the net, its kinks, the training data, and the target at the test points."""
    model.plot(data.x, data.y, ax=ax)
    ax.plot(data.x_test, data.y_test, "--", color="C3", lw=1, label="target")
    ax.set_title("Fit")
    ax.legend()


def draw_residual(ax: Axes, model: fastmlp.Model, data: Samples) -> None:
    """Draw the residuals of both sets: the net minus the data."""
    ax.axhline(0, color="0.8", lw=1)
    ax.plot(data.x, model.predict(data.x) - data.y, ".", color="0.55", label="training set")
    ax.plot(data.x_test, model.predict(data.x_test) - data.y_test, "-", color="C3", lw=1, label="test set")
    ax.set(title="Residual", xlabel="x", ylabel="net - y")
    ax.legend()


def draw_loss(ax: Axes, model: fastmlp.Model, data: Samples) -> None:
    """Draw the training RMSE against the epoch, and the test RMSE at the end."""
    ax.plot(model.history.epoch[1:], model.history.rmse[1:], color="C0", label="training set")
    ax.axhline(model.rmse(data.x_test, data.y_test), color="C3", ls="--", lw=1, label="test set, at the end")
    ax.set(title="Loss", xlabel="epoch", ylabel="RMSE", xscale="log", yscale="log")
    ax.grid(alpha=0.3)
    ax.legend()


def train(args: argparse.Namespace) -> tuple[Samples, fastmlp.Model]:
    """Sample the function and fit the samples."""
    check_options(args)
    function = load_function(args.function)
    *sampling_seeds, start_seed = np.random.SeedSequence(args.seed).spawn(4)
    data = sample(function, args, sampling_seeds)
    return data, fastmlp.fit(data.x, data.y, hidden=args.hidden, epochs=args.epochs, lr=args.lr, rng=start_seed)


def report(args: argparse.Namespace, data: Samples, model: fastmlp.Model) -> None:
    """Print the errors and the time, and save the figure."""
    train_rmse, test_rmse = model.rmse(data.x, data.y), model.rmse(data.x_test, data.y_test)
    run = f"{model.n_hidden} hidden units, {model.info.epochs_run} epochs{' (quick)' * args.quick}"
    print(f"{args.function}: {run}, {model.info.fit_seconds:.3g} s")
    print(f"train RMSE {train_rmse:.4g} ({args.train} points), test RMSE {test_rmse:.4g} ({args.test} points)")
    title = f"{textwrap.shorten(args.function, 100)}\n{run}: train RMSE {train_rmse:.3g}, test RMSE {test_rmse:.3g}"
    path = args.out / "fit.png"
    draw(model, data, title, path)
    print(path)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='A formula that begins with "-" goes last, after "--".',
    )
    parser.add_argument("function", help="a formula in x, or file.py:name for a function of an array")
    parser.add_argument(
        "--domain", nargs=2, type=float, default=(-np.pi, np.pi), metavar=("A", "B"), help="interval of x (-pi pi)"
    )
    parser.add_argument("--train", type=int, default=100, metavar="N", help="training points (%(default)s)")
    parser.add_argument("--test", type=int, default=200, metavar="N", help="test points (%(default)s)")
    parser.add_argument(
        "--sampling",
        choices=("grid", "uniform"),
        default="grid",
        help="how to choose the points of both sets (%(default)s)",
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        metavar="STD",
        help="standard deviation of the noise on the training targets (%(default)s)",
    )
    parser.add_argument("--hidden", type=int, default=1000, metavar="N", help="hidden units (%(default)s)")
    parser.add_argument("--epochs", type=int, default=32000, metavar="N", help="updates (%(default)s)")
    parser.add_argument(
        "--lr",
        type=rate,
        default="auto",
        metavar="RATE",
        help="learning rate, a number or auto; with a number, the data is not standardised (auto)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of points, noise and initial weights (%(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/fit_function"), metavar="DIR", help="folder of the figure (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help=f"at most {QUICK_EPOCHS} epochs")
    args = parser.parse_args()
    if args.quick:
        args.epochs = min(args.epochs, QUICK_EPOCHS)
    return args


def rate(text: str) -> float | str:
    """Parse the value of --lr."""
    return text if text == "auto" else float(text)


def _in_one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def main() -> int:
    """Run the script. For bad input it prints one line to stderr and returns 2."""
    args = parse_arguments()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        data, model = train(args)
        report(args, data, model)
    except (ValueError, MemoryError, OSError, fastmlp.DivergenceError) as error:
        print("fit_function.py: error:", *str(error).split(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Estimate the uncertainty of a fit: train 200 nets on noisy data with a gap, and plot their mean and error band.

There are two ensembles. By seed, the nets differ only in their initial weights. By bootstrap, each net also has its own
bootstrap sample of the data. Where the nets disagree, the data does not determine the curve. If PyTorch is installed,
the script also measures the time of the same training in PyTorch.

python scripts/uncertainty.py --nets 200 --hidden 100 --epochs 20000
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported

import matplotlib
import numpy as np
import numpy.typing as npt

import fastmlp

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FloatArray = npt.NDArray[np.float64]

SAMPLES, NOISE, GAP = 120, 0.15, (0.2, 1.2)
RANGE = (-2.5, 2.5)
WAYS = {"seed": "same samples, different starts", "bootstrap": "bootstrap samples, different starts"}


def truth(x: FloatArray) -> FloatArray:
    """Return the function without noise."""
    return np.sin(2 * x) + 0.5 * x


def samples(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw noisy samples outside the gap."""
    x = np.sort(rng.uniform(-2, 2 - (GAP[1] - GAP[0]), SAMPLES))
    x[x > GAP[0]] += GAP[1] - GAP[0]
    return x, truth(x) + NOISE * rng.normal(size=SAMPLES)


def jobs(way: str, n_nets: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the jobs: empty ones, or bootstrap weights."""
    if way == "seed":
        return [{} for _ in range(n_nets)]
    return [{"sample_weight": rng.multinomial(SAMPLES, np.full(SAMPLES, 1 / SAMPLES))} for _ in range(n_nets)]


def torch_seconds(x: FloatArray, y: FloatArray, hidden: int, epochs: int, n_nets: int) -> float | None:
    """Return the seconds that a net takes in PyTorch, or None if it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    inputs, targets = torch.from_numpy(x[:, None]), torch.from_numpy(y[:, None])
    started = time.perf_counter()
    for seed in range(n_nets):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Linear(1, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1)).double()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(epochs):
            optimizer.zero_grad()
            (0.5 * torch.nn.functional.mse_loss(net(inputs), targets)).backward()
            optimizer.step()
    return (time.perf_counter() - started) / n_nets


def draw(ensembles: dict[str, fastmlp.Ensemble], x: FloatArray, y: FloatArray, path: Path) -> None:
    """Draw the mean and the band of each ensemble, the samples and the true function."""
    curve = np.linspace(*RANGE, 501)
    figure, axes = plt.subplots(1, len(ensembles), figsize=(12, 4.6), sharey=True, layout="constrained")
    for ax, (way, ensemble) in zip(axes, ensembles.items(), strict=True):
        mean, std = ensemble.predict(curve, return_std=True)
        low, high = ensemble.quantiles(curve, [0.05, 0.95])
        ax.fill_between(curve, low, high, color="C0", alpha=0.2, lw=0, label="90 % of the nets")
        ax.fill_between(curve, mean - std, mean + std, color="C0", alpha=0.4, lw=0, label="mean ± deviation")
        ax.plot(curve, mean, color="C0", label="mean")
        ax.plot(curve, truth(curve), "--", color="C3", lw=1, label="truth")
        ax.plot(x, y, ".", color="0.4", ms=4, label="samples")
        ax.set(xlabel="x", title=f"{len(ensemble)} nets by {way}: {WAYS[way]}")
    axes[0].set_ylabel("y")
    axes[0].legend(fontsize=8, loc="upper left")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--nets", type=int, default=200)
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--torch-nets", type=int, default=1, help="number of nets to time in PyTorch; 0 for none")
    parser.add_argument("--out", type=Path, default=Path("out/uncertainty"))
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(args.seed)
    x, y = samples(rng)
    fastmlp.fit(x, y, hidden=args.hidden, epochs=1, rng=0)  # compiles
    ensembles = {}
    for way in WAYS:
        started = time.perf_counter()
        ensemble = fastmlp.fit_many(
            x, y, jobs(way, args.nets, rng), hidden=args.hidden, epochs=args.epochs, rng=args.seed
        )
        seconds = time.perf_counter() - started
        inside = np.linspace(*GAP, 50)
        spread = ensemble.predict(inside, return_std=True)[1].mean() / ensemble.predict(x, return_std=True)[1].mean()
        rmse = np.median(ensemble.summary()["rmse"])
        print(
            f"{args.nets} nets by {way}: {seconds:.2f} s, {seconds / args.nets * 1e3:.1f} ms per net; median RMSE "
            f"{rmse:.3f}; their standard deviation in the gap is {spread:.1f} times that at the samples"
        )
        ensembles[way] = ensemble
    draw(ensembles, x, y, args.out / "uncertainty.png")
    each = torch_seconds(x, y, args.hidden, args.epochs, args.torch_nets) if args.torch_nets else None
    if each is not None:
        print(f"PyTorch: {each:.1f} s per net on one core, so {each * args.nets / 60:.0f} min for {args.nets} nets")


if __name__ == "__main__":
    main()

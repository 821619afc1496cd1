"""Time per epoch and peak memory as each size grows, by engine, with fitted exponents.

    python -m benchmarks.costs            all sizes, about five minutes
    python -m benchmarks.costs --quick    fewer and smaller sizes

It writes costs.json and costs.png to out/benchmarks and prints a table of exponents. All fits use one core and
float64.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from power_law import power_law

import fastmlp
from benchmarks.conditions import conditions, save

ROUND_SECONDS = 0.2
ROUNDS = 3
LARGEST_FIT = 3e9  # multiply-adds of one epoch, unless univariate
LONGEST_FIT_SECONDS = 0.5  # along the epochs, where the next fit takes three times as long
LARGEST_LAYER = 3e7  # samples x hidden of the reference, which holds several such arrays
FITTED = 30.0  # exponents are of the last decade and a half: where the term that grows has the say
AXES = {
    "samples": "n_samples",
    "hidden units": "n_hidden",
    "inputs": "n_in",
    "outputs": "n_out",
    "epochs": "epochs",
}


@dataclass(frozen=True)
class Fit:
    """The sizes of a call of `fit`; epochs is 0 if the time per epoch is measured with as many epochs as needed."""

    algorithm: str
    n_in: int
    n_hidden: int
    n_samples: int
    n_out: int = 1
    epochs: int = 0

    @property
    def is_sensible(self) -> bool:
        """Whether an epoch takes at most some seconds, and the arrays of the reference engine fit into memory."""
        if self.algorithm == "univariate":
            return True
        layer = self.n_samples * self.n_hidden
        too_wide = self.algorithm == "reference" and layer > LARGEST_LAYER
        return not too_wide and layer * (2 * self.n_in + 3 * self.n_out) <= LARGEST_FIT

    def run(self, epochs: int) -> fastmlp.Model:
        """Train on seeded data from the default initial weights, at a rate that is stable for all sizes."""
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, (self.n_samples, self.n_in))
        y = np.sin(3 * x.sum(axis=1, keepdims=True) + np.arange(self.n_out))
        lr = 0.01 / (self.n_in * self.n_hidden**0.5)
        sizes = {"hidden": self.n_hidden, "epochs": epochs}
        return fastmlp.fit(x, y, **sizes, lr=lr, rng=0, algorithm=self.algorithm, progress=False)


BASES = (
    Fit("univariate", 1, 1000, 1000),
    Fit("dense", 8, 256, 1000),
    Fit("reference", 8, 256, 1000),
)


def sizes(base: Fit, axis: str, quick: bool) -> list[int]:
    """Return the sizes along an axis that the engine supports."""
    if axis == "inputs":
        return (
            [] if base.algorithm == "univariate" else [1, 2, 4, 8, 9, 16, 32, 64, 128, 256, 512][:: 2 if quick else 1]
        )
    if axis == "outputs":
        return [1, 2, 4][: 2 if quick else 3] if base.algorithm == "univariate" else [1, 2, 4, 8, 16, 32, 64]
    last = 4 if quick else 6
    return [round(10**power) for power in np.arange(4, 2 * last + 1) / 2]


def seconds_per_epoch(fit: Fit) -> float:
    """Return the time of a further epoch: the median over several fits.

    It is the difference from a fit of one epoch, because sorting a million samples and computing the initial weights
    takes as long as thousands of epochs.
    """
    fit.run(1)  # compiles
    epochs = 2
    while (further := further_seconds(fit, epochs)) < ROUND_SECONDS and epochs < 10**6:
        epochs *= max(2, min(10, int(ROUND_SECONDS / max(further, 1e-6))))
    return float(np.median([further_seconds(fit, epochs) for _ in range(ROUNDS)]) / (epochs - 1))


def further_seconds(fit: Fit, epochs: int) -> float:
    """Return the time of a fit minus the time of a fit of one epoch."""
    return fit.run(epochs).info.fit_seconds - fit.run(1).info.fit_seconds


def seconds(fit: Fit) -> float:
    """Return the median time of a fit with a number of epochs."""
    fit.run(1)
    return float(np.median([fit.run(fit.epochs).info.fit_seconds for _ in range(ROUNDS)]))


def peak_bytes(fit: Fit) -> int:
    """Return the peak memory of a fit in bytes, including data and model; kernels allocate nothing."""
    tracemalloc.start()
    fit.run(max(fit.epochs, 1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def measure(quick: bool) -> list[dict[str, Any]]:
    """Measure every engine along every axis."""
    rows = []
    for axis, field in AXES.items():
        for base in BASES:
            for size in sizes(base, axis, quick):
                fit = replace(base, **{field: size})
                if not fit.is_sensible:
                    continue
                started = time.perf_counter()
                spent = seconds(fit) if axis == "epochs" else seconds_per_epoch(fit)
                sizes_and_costs = {"size": size, "seconds": spent, "bytes": peak_bytes(fit)}
                rows.append({"engine": base.algorithm, "axis": axis} | sizes_and_costs)
                print(f"{base.algorithm}, {size:,} {axis}: {time.perf_counter() - started:.1f} s", flush=True)
                if axis == "epochs" and spent > LONGEST_FIT_SECONDS:
                    break
    return rows


def exponents(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], float]:
    """Return the fitted exponent of each quantity by engine and axis."""
    fitted = {}
    for axis in AXES:
        for base in BASES:
            along = [row for row in rows if (row["engine"], row["axis"]) == (base.algorithm, axis)]
            size = [row["size"] for row in along]
            for quantity in ("seconds", "bytes") if along else ():
                law = power_law(size, [row[quantity] for row in along], (max(size) / FITTED, max(size)))
                fitted[base.algorithm, axis, quantity] = law.slope
    return fitted


def table(fitted: dict[tuple[str, str, str], float]) -> str:
    """Return the exponents as a Markdown table."""
    lines = [f"| engine | {' | '.join(AXES)} |", "| --- |" + " ---: |" * len(AXES)]
    for base in BASES:
        cells = [
            f"{fitted[base.algorithm, axis, 'seconds']:.2f}, {fitted[base.algorithm, axis, 'bytes']:.2f}"
            if (base.algorithm, axis, "seconds") in fitted
            else ""
            for axis in AXES
        ]
        lines.append(f"| {base.algorithm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], fitted: dict[tuple[str, str, str], float], path: Path) -> None:
    """Draw time in the upper row and memory in the lower row, with one column for each axis."""
    figure, panels = plt.subplots(2, len(AXES), figsize=(4 * len(AXES), 7.5), layout="constrained")
    for column, axis in zip(panels.T, AXES, strict=True):
        for ax, quantity, scale in zip(column, ("seconds", "bytes"), (1e6, 1e-6), strict=True):
            for number, (marker, base) in enumerate(zip("os^", BASES, strict=True)):
                along = [row for row in rows if (row["engine"], row["axis"]) == (base.algorithm, axis)]
                if along:
                    label = f"{base.algorithm}: exponent {fitted[base.algorithm, axis, quantity]:.2f}"
                    values = [scale * row[quantity] for row in along]
                    at = [row["size"] for row in along]
                    ax.loglog(at, values, marker=marker, markersize=4, color=f"C{number}", label=label)
            ax.legend(fontsize="small")
            ax.grid(alpha=0.3)
            ax.set_xlabel(axis)
        column[0].set_ylabel(
            "time of the whole fit, microseconds" if axis == "epochs" else "time per epoch, microseconds"
        )
        column[1].set_ylabel("peak memory of a fit, megabytes")
    fixed = "; ".join(f"{base.algorithm} {base.n_in}, {base.n_hidden:,}, {base.n_samples:,}, 1" for base in BASES)
    figure.suptitle(
        f"Time and memory against one size. The other sizes (inputs, hidden units, samples, outputs) are {fixed}"
    )
    how = (
        "Exponents are fitted over the last decade and a half. Memory is that of all arrays, measured with tracemalloc."
    )
    figure.supxlabel(f"{how} {conditions()}", fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the results and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller sizes")
    parser.add_argument("--out", type=Path, default=Path("out/benchmarks"), help="folder of the results")
    parsed = parser.parse_args(arguments)
    rows = measure(parsed.quick)
    fitted = exponents(rows)
    save(parsed.out / "costs.json", rows)
    draw(rows, fitted, parsed.out / "costs.png")
    print(f"\nExponents of time and memory\n\n{table(fitted)}\n\n{conditions()}")


if __name__ == "__main__":
    main()

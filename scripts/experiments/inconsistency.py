"""Do nets of one input leave a bad minimum? The Monte Carlo experiment of https://arxiv.org/abs/2002.04861.

The data is six points on two rays. All kinks start at 0, where the net consists of two straight lines. Gradient descent
with hidden and output bias converges to the best pair of lines, unless a kink reaches a point, at distance 1, before.
The experiment trains 10,000 nets of each width for three offsets of the targets, and measures the share of nets with a
kink that reaches a point. Each net has multinomial weights of the points, and the rate 1 / lambda_max of the dynamics
of the two lines at its start.

A net is finished when the bound of `is_settled` proves that no unit can reach a point any more, or after 1e6 steps. Two
counts are compared: the authors' rule, that the largest |b / a| reached 1, and the count of the engine, that a unit's
set of active points changed. They differ if the slope a of a unit changes its sign within one step.

A run with --full continues after an interruption: the results of each width and offset are in a file in the output
folder. A line that comes from a file says so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import numpy.typing as npt
from drawing import FloatArray, options, plt, print_line, save

import fastmlp

X = np.array([-1.0, -2, -3, 1, 2, 3])
Y = np.array([-1.0, 2, -1, 1, -2, 1])
OFFSETS = (0.0, 0.01, 0.1)
WIDTHS, REDUCED_WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 2048), (16, 32, 64, 128)
NETS, REDUCED_NETS = 10_000, 60
BATCH = 500  # nets per task
MOST_STEPS = 1_000_000
SETTLING = 4.0  # time constants of the slowest direction before a net is first checked
AUTHORS_STEP = {16: 1.9e-6, 128: 8.2e-6, 2048: 125e-6}  # seconds of one net's step

WATCHED = 20  # checks of a net that changed and for which the authors' rule does not hold yet
IntArray = npt.NDArray[np.int64]

CROSSED, CHANGED, SETTLED, UNFINISHED, DEGENERATE = range(5)


class Start(NamedTuple):
    """A net with weights (a, w) and b = c = 0, and the weights p of the points."""

    a: FloatArray
    w: FloatArray
    p: FloatArray


def start(hidden: int, rng: np.random.Generator) -> Start:
    """Draw a net and the weights of its points."""
    a, w = rng.normal(0, np.sqrt(2), hidden), rng.normal(0, np.sqrt(2 / hidden), hidden)
    return Start(a, w, rng.multinomial(hidden**2, np.full(6, 1 / 6)) / hidden**2)


def lines_of_data(p: FloatArray) -> FloatArray:
    """Return A (4, 4): about its minimum, the error of two lines v (slope, intercept; left, right) is v^T A v."""
    a = np.zeros((4, 4))
    for side, points in enumerate((X < 0, X > 0)):
        x, weight = X[points], p[points]
        block = [[weight @ x**2, weight @ x], [weight @ x, weight.sum()]]
        a[2 * side : 2 * side + 2, 2 * side : 2 * side + 2] = block
    return a


def kinetics(a: FloatArray, b: FloatArray, w: FloatArray) -> FloatArray:
    """Return M (4, 4): a step of gradient descent at a small rate moves the two lines by -rate M A (v - v_best)."""
    m = np.zeros((4, 4))
    for side, units in enumerate((a < 0, a > 0)):
        aa, ab, bb, ww = a[units] @ a[units], a[units] @ b[units], b[units] @ b[units], w[units] @ w[units]
        m[2 * side : 2 * side + 2, 2 * side : 2 * side + 2] = [[ww + aa, ab], [ab, ww + bb]]
    m[1::2, 1::2] += 1.0  # the output bias moves both intercepts
    return m


def spectrum(a: FloatArray, m: FloatArray) -> FloatArray:
    """Return the eigenvalues of M A, which are those of a symmetric matrix, in ascending order."""
    root = np.linalg.cholesky(m)
    return np.linalg.eigvalsh(root.T @ a @ root)


def is_settled(model: fastmlp.Model, p: FloatArray, offset: float) -> bool:
    """Return whether a bound proves that no unit can reach a point any more.

    As long as no pattern changes, a step maps r = A^(1/2) (v - v_best) to (1 - rate A^(1/2) M A^(1/2)) r, plus terms of
    the order of rate^2 |r|^2. M is at least the smaller of the two sums of w^2 on either side. If the rate is stable
    and those terms are less than half of the decrease, each step multiplies |r| by at most 1 - rate mu / 2, with mu =
    min(A) min sum w^2. So the sum over all later steps is bounded, rate sum |A (v - v_best)| <= path, with path = 2
    |A|^(1/2) |r| / mu. Along this path (a, b) and w of a unit mix by at most cosh(path) and sinh(path). The bounds of w
    and M are taken at the end of the path.
    """
    a, b, w = model.w1[0], model.b1, model.w2[:, 0]
    data = lines_of_data(p)
    eigenvalues, vectors = np.linalg.eigh(data)
    if eigenvalues[0] <= 1e-12:
        return False
    error = p * (model.predict(X) - Y - offset)
    sums = np.concatenate([[error[side] @ X[side], error[side].sum()] for side in (X < 0, X > 0)])
    root_error = float(np.linalg.norm(vectors.T @ sums / np.sqrt(eigenvalues)))
    sides = [(np.linalg.norm(w[side]), np.hypot(a[side], b[side])) for side in (a < 0, a > 0)]
    sizes = [(float(of_w), float(np.linalg.norm(of_ab))) for of_w, of_ab in sides]

    def contraction(path: float) -> float:
        least = min(of_w * (2 - np.cosh(path)) - of_ab * np.sinh(path) for of_w, of_ab in sizes)
        return float(eigenvalues[0] * max(least, 0.0) ** 2)

    def path_at(mu: float) -> float:
        return 2 * float(np.sqrt(eigenvalues[-1])) * root_error / mu if mu > 0 else np.inf

    path = 2 * path_at(contraction(0.0))
    if not path < 0.1 or path_at(contraction(path)) > path:
        return False
    rate = model.info.lr
    grown = np.exp(2 * path)
    second_order = rate * eigenvalues[-1] ** 1.5 * grown * sum(of_w * of_ab for of_w, of_ab in sizes) * root_error
    stiffness = spectrum(data, kinetics(a, b, w))[-1] + eigenvalues[-1] * (grown - 1) * np.sum(np.square(sizes))
    if second_order > contraction(path) / 2 or rate * stiffness > 1.5:
        return False
    shift = np.abs(w) * np.sinh(path) + np.hypot(a, b) * (np.cosh(path) - 1)
    return bool((np.abs(a) - np.abs(b) > 2 * shift).all())


def has_reached(model: fastmlp.Model) -> bool:
    """Return whether a kink is at least as far from 0 as the nearest points: the authors' rule."""
    return bool((np.abs(model.b1) >= np.abs(model.w1[0])).any())


@dataclass
class Net:
    """A net in training, and its outcome."""

    init: Any
    rate: float
    stage: int
    p: FloatArray
    steps: int = 0
    outcome: int = UNFINISHED

    @property
    def epochs(self) -> int:
        """Steps of the next stage: those of the first stage, later a quarter of them."""
        return min(self.stage if self.steps == 0 else self.stage // 4 + 1, MOST_STEPS - self.steps)


def drawn(hidden: int, rng: np.random.Generator) -> Net:
    """Draw a net, and compute its rate and time constant."""
    a, w, p = start(hidden, rng)
    init = (a[None], np.zeros(hidden), w[:, None], np.zeros(1))
    if not (a > 0).any() or not (a < 0).any():
        return Net(init, 1.0, 1, p, outcome=DEGENERATE)
    eigenvalues = spectrum(lines_of_data(p), kinetics(a, np.zeros(hidden), w))
    rate = 1 / eigenvalues[-1]
    if eigenvalues[0] <= 1e-12 * eigenvalues[-1]:
        return Net(init, rate, MOST_STEPS, p)
    return Net(init, rate, int(SETTLING / (rate * eigenvalues[0])) + 1, p)


def train_nets(hidden: int, offset: float, numbers: Sequence[int], seed: int) -> IntArray:
    """Train some nets until they are finished; return (n, 2) outcomes and steps."""
    nets = [drawn(hidden, np.random.default_rng([seed, hidden, i])) for i in numbers]
    going = [net for net in nets if net.outcome != DEGENERATE]
    while going:
        jobs = [{"init": net.init, "lr": net.rate, "sample_weight": net.p, "epochs": net.epochs} for net in going]
        with joblib.parallel_config(n_jobs=1):  # other batches keep the other cores busy
            ensemble = fastmlp.fit_many(X, Y + offset, jobs, stop_at_crossing=True)
        for net, model in zip(going, ensemble.models, strict=True):
            net.init = model
            net.steps += model.info.epochs_run
            if model.info.stop_reason == "crossing":
                net.outcome = CROSSED if has_reached(model) or reaches_later(model, net, offset) else CHANGED
            elif is_settled(model, net.p, offset):
                net.outcome = SETTLED
        going = [net for net in going if net.outcome == UNFINISHED and net.epochs > 0]
    return np.array([(net.outcome, net.steps) for net in nets])


def reaches_later(model: fastmlp.Model, net: Net, offset: float) -> bool:
    """Return whether the authors' rule holds for a changed net within WATCHED checks, 1000 steps apart."""
    looks = range(1000, WATCHED * 1000 + 1, 1000)
    later = fastmlp.fit(
        X, Y + offset, init=model, lr=net.rate, sample_weight=net.p, epochs=looks[-1], snapshots=looks, progress=False
    )
    return any(has_reached(snapshot) for snapshot in later.history.snapshots.values())


def outcomes(hidden: int, offset: float, n_nets: int, seed: int) -> tuple[IntArray, float]:
    """Train all nets of a width and offset; return outcomes, steps and seconds."""
    started = time.perf_counter()
    batches = [range(first, min(first + BATCH, n_nets)) for first in range(0, n_nets, BATCH)]
    # Processes, because nets take a millisecond each, and threads would wait for each other's Python code.
    found = joblib.Parallel(n_jobs=-1)(joblib.delayed(train_nets)(hidden, offset, batch, seed) for batch in batches)
    return np.concatenate(found), time.perf_counter() - started


def read(path: Path, n_nets: int) -> tuple[IntArray, float] | None:
    """Return the outcomes and seconds in a file, or None if there is no file with this number of nets."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        return (kept["outcomes"], float(kept["seconds"])) if len(kept["outcomes"]) == n_nets else None


def write(path: Path, rows: IntArray, seconds: float) -> None:
    """Write outcomes and seconds to a file, which is replaced completely or not at all."""
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, outcomes=rows, seconds=seconds)
    temporary.replace(path)


def band(count: int, total: int) -> tuple[float, float]:
    """Return Wilson's interval of two standard deviations for a share."""
    share, z = count / total, 2.0
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return middle - half, middle + half


def draw(shares: dict[float, list[tuple[int, int, int, int]]], path: Path) -> None:
    """Plot the share of nets with a kink that reached a point, against the width."""
    figure, ax = plt.subplots(figsize=(7.4, 5.2), layout="constrained")
    for k, (offset, rows) in enumerate(shares.items()):
        hidden, crossed, changed, total = np.array(rows).T
        beside = hidden * 1.03 ** (k - (len(shares) - 1) / 2)  # otherwise one would hide the other
        ends = np.array([band(*pair) for pair in zip(changed, total, strict=True)]).T
        share = changed / total
        ax.errorbar(beside, share, np.abs(ends - share), fmt="o-", ms=4, lw=1.2, capsize=2, color=f"C{k}")
        ax.plot(beside, crossed / total, "x--", ms=6, lw=0.8, color=f"C{k}")
        ax.plot([], [], color=f"C{k}", label=f"offset {offset:g} added to the targets")
    counted = "a unit's set of active points changed;\nbars: Wilson's interval, two standard deviations"
    ax.errorbar([], [], [], fmt="ko-", ms=4, capsize=2, label=counted)
    ax.plot([], [], "kx--", lw=0.8, label="authors' rule: a kink (-b / a) at distance 1 or more")
    ax.set_xscale("log", base=2)
    ax.set_xticks(hidden, [f"{width}" for width in hidden])
    ax.set(xlabel="hidden units", ylabel="share of nets", ylim=(0, None))
    ax.set_title(
        f"Share of nets with a kink that reached a point; {max(total):,} nets per width and offset", fontsize=11
    )
    ax.legend(fontsize=8)
    save(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, draw."""
    args = options(__doc__, "inconsistency", arguments)
    n_nets = NETS if args.full else REDUCED_NETS
    shares: dict[float, list[tuple[int, int, int, int]]] = {offset: [] for offset in OFFSETS}
    seconds, steps, authors_seconds = 0.0, 0, 0.0
    warm = joblib.delayed(train_nets)(REDUCED_WIDTHS[0], OFFSETS[0], range(1), args.seed)
    joblib.Parallel(n_jobs=-1, batch_size=1)([warm] * joblib.cpu_count())  # each process compiles, or loads
    for hidden in WIDTHS if args.full else REDUCED_WIDTHS:
        step = np.exp(np.interp(np.log(hidden), np.log(list(AUTHORS_STEP)), np.log(list(AUTHORS_STEP.values()))))
        for offset in OFFSETS:
            path = args.out / f"h{hidden}_offset{offset:g}_seed{args.seed}.npz"
            kept = read(path, n_nets) if args.full else None
            rows, took = kept or outcomes(hidden, offset, n_nets, args.seed)
            if args.full and kept is None:
                write(path, rows, took)
            count = np.bincount(rows[:, 0], minlength=5)
            done, total = int(rows[:, 1].sum()), n_nets - int(count[DEGENERATE])
            changed = int(count[CROSSED] + count[CHANGED])
            shares[offset].append((hidden, int(count[CROSSED]), changed, total))
            facts = f"crossed {count[CROSSED]} by |b / a|, {changed} by pattern; {count[SETTLED]} settled"
            what = f"D H = {hidden}, offset {offset:g}, {n_nets} nets{', kept from before' if kept else ''}"
            print_line(what, took, done, done * step, facts)
            print(
                f"  {count[UNFINISHED]} unfinished, {count[DEGENERATE]} degenerate; {took / n_nets * 1e3:.2f} ms a net"
            )
            seconds, steps, authors_seconds = seconds + took, steps + done, authors_seconds + done * step
    print_line("D in all", seconds, steps, authors_seconds)
    draw(shares, args.out / "shares.png")


if __name__ == "__main__":
    main()

"""Do nets of one input get beyond a bad minimum? The Monte Carlo of https://arxiv.org/abs/2002.04861.

Six points on two rays, which units that start with their kinks at 0 see as two straight lines. Gradient descent with
hidden and output bias goes to the best such pair of lines unless a kink reaches a point at distance 1 before. 10,000
nets of each width, each with multinomial weights of the points and the rate 1 / lambda_max of the dynamics of the two
lines at its start, for three offsets of the targets; the share of nets of which a kink reaches a point.

A net ends when the bound of `is_settled` says that no unit can reach a point any more, or after 1e6 steps. Beside the
authors' rule, that the largest |b / a| reached 1, stands what the engine counts, a unit's set of active points having
changed; they differ where a unit's slope a changes its sign within one step.

With --full it goes on where it was stopped: each width and offset is a file in the folder of the figures, and a line
that comes from one says so.
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
BATCH = 500  # nets at a time
MOST_STEPS = 1_000_000
SETTLING = 4.0  # time constants of the slowest direction that a net is trained for before it is looked at
AUTHORS_STEP = {16: 1.9e-6, 128: 8.2e-6, 2048: 125e-6}  # seconds of one net's step

WATCHED = 20  # looks at a net that the authors' rule has not seen to change
IntArray = npt.NDArray[np.int64]

CROSSED, CHANGED, SETTLED, UNFINISHED, DEGENERATE = range(5)


class Start(NamedTuple):
    """One net: weights (a, w) with b = c = 0, and weights p of the points."""

    a: FloatArray
    w: FloatArray
    p: FloatArray


def start(hidden: int, rng: np.random.Generator) -> Start:
    """Draw a net and the weights of its points."""
    a, w = rng.normal(0, np.sqrt(2), hidden), rng.normal(0, np.sqrt(2 / hidden), hidden)
    return Start(a, w, rng.multinomial(hidden**2, np.full(6, 1 / 6)) / hidden**2)


def lines_of_data(p: FloatArray) -> FloatArray:
    """Return A (4, 4): the error of two lines (slope and intercept left, then right) is v^T A v about its minimum."""
    a = np.zeros((4, 4))
    for side, points in enumerate((X < 0, X > 0)):
        x, weight = X[points], p[points]
        block = [[weight @ x**2, weight @ x], [weight @ x, weight.sum()]]
        a[2 * side : 2 * side + 2, 2 * side : 2 * side + 2] = block
    return a


def kinetics(a: FloatArray, b: FloatArray, w: FloatArray) -> FloatArray:
    """Return M (4, 4): gradient descent at a small rate moves the two lines by -rate M A (v - v_best)."""
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
    """Return whether no unit can reach a point any more, by a sufficient bound.

    While the pattern lasts, a step changes r = A^(1/2) (v - v_best) to (1 - rate A^(1/2) M A^(1/2)) r, but for terms of
    the order of rate^2 |r|^2, and M is at least the lesser side's sum of w^2: while the rate is stable and those terms
    take less than half of it, |r| falls by 1 - rate mu / 2, mu = min(A) min sum w^2. So all steps to come add up to
    rate sum |A (v - v_best)| <= path = 2 |A|^(1/2) |r| / mu, within which (a, b) and w of a unit turn into each other
    by at most cosh(path) and sinh(path). The bounds of w and M are taken at the end of that path.
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
    """Return whether a kink is as far from 0 as the nearest points: the authors' rule."""
    return bool((np.abs(model.b1) >= np.abs(model.w1[0])).any())


@dataclass
class Net:
    """A net on its way, and what became of it."""

    init: Any
    rate: float
    stage: int
    p: FloatArray
    steps: int = 0
    outcome: int = UNFINISHED

    @property
    def epochs(self) -> int:
        """Steps of the next stage: the first, or a quarter of it."""
        return min(self.stage if self.steps == 0 else self.stage // 4 + 1, MOST_STEPS - self.steps)


def drawn(hidden: int, rng: np.random.Generator) -> Net:
    """Draw a net and find its rate and its time constant."""
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
    """Train some nets to their ends; return (n, 2) outcomes and steps."""
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
    """Return whether the authors' rule sees a net that has changed, within WATCHED looks 1000 steps apart."""
    looks = range(1000, WATCHED * 1000 + 1, 1000)
    later = fastmlp.fit(
        X, Y + offset, init=model, lr=net.rate, sample_weight=net.p, epochs=looks[-1], snapshots=looks, progress=False
    )
    return any(has_reached(snapshot) for snapshot in later.history.snapshots.values())


def outcomes(hidden: int, offset: float, n_nets: int, seed: int) -> tuple[IntArray, float]:
    """Train all nets of a width and offset; return outcomes and steps, and the seconds that it took."""
    started = time.perf_counter()
    batches = [range(first, min(first + BATCH, n_nets)) for first in range(0, n_nets, BATCH)]
    # Processes: where nets take a millisecond, threads would wait for each other's Python code.
    found = joblib.Parallel(n_jobs=-1)(joblib.delayed(train_nets)(hidden, offset, batch, seed) for batch in batches)
    return np.concatenate(found), time.perf_counter() - started


def read(path: Path, n_nets: int) -> tuple[IntArray, float] | None:
    """Return the outcomes and seconds that a file holds, None if there is none of so many nets."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        return (kept["outcomes"], float(kept["seconds"])) if len(kept["outcomes"]) == n_nets else None


def write(path: Path, rows: IntArray, seconds: float) -> None:
    """Keep outcomes and seconds in a file, wholly or not at all."""
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, outcomes=rows, seconds=seconds)
    temporary.replace(path)


def band(count: int, total: int) -> tuple[float, float]:
    """Return Wilson's interval for a share, two standard deviations to either side."""
    share, z = count / total, 2.0
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return middle - half, middle + half


def draw(shares: dict[float, list[tuple[int, int, int, int]]], path: Path) -> None:
    """Draw the share of nets that crossed against the width."""
    figure, ax = plt.subplots(figsize=(7.4, 5.2), layout="constrained")
    for k, (offset, rows) in enumerate(shares.items()):
        hidden, crossed, changed, total = np.array(rows).T
        beside = hidden * 1.03 ** (k - (len(shares) - 1) / 2)  # or one would hide the other
        ends = np.array([band(*pair) for pair in zip(changed, total, strict=True)]).T
        share = changed / total
        ax.errorbar(beside, share, np.abs(ends - share), fmt="o-", ms=4, lw=1.2, capsize=2, color=f"C{k}")
        ax.plot(beside, crossed / total, "x--", ms=6, lw=0.8, color=f"C{k}")
        ax.plot([], [], color=f"C{k}", label=f"offset {offset:g} added to the targets")
    counted = "a unit's set of active points changed;\nbars: Wilson's interval of two standard deviations"
    ax.errorbar([], [], [], fmt="ko-", ms=4, capsize=2, label=counted)
    ax.plot([], [], "kx--", lw=0.8, label="authors' rule: a kink (-b / a) at distance 1 or more")
    ax.set_xscale("log", base=2)
    ax.set_xticks(hidden, [f"{width}" for width in hidden])
    ax.set(xlabel="hidden units", ylabel="share of nets", ylim=(0, None))
    ax.set_title(f"Nets of which a kink reached a point, of {max(total):,} for each width and offset", fontsize=11)
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

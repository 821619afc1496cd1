"""Relocation: useless knots are removed, and the pieces with the largest errors are split."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.knots.kernels.elimination import eliminated
from fastmlp.engines.knots.kernels.evaluating import copy_spline
from fastmlp.engines.knots.kernels.layout import Samples, Scratch, Spline
from fastmlp.engines.knots.kernels.moments import combined, moments_of, stored

SPLIT, REMOVED = 1, 2  # marks of a piece, and of the knot at its left end
TIE = 1e-6  # relative difference of errors below which the first is taken, whatever their last bits are
TINY = 2.0**-200  # squared error, where the targets have variance 1
LOWEST, HIGHEST, N_BISECTIONS = -200.0, 200.0, 14  # exponents of a threshold


@inlined
def joined_error(weight: Any, target: Any, other_weight: Any, other_target: Any) -> Any:
    """Return the squared error of the best value of a knot, given what both sides say about it."""
    square = weight * weight + other_weight * other_weight
    return (weight * other_target - other_weight * target) ** 2 / square if square > 0.0 else 0.0


@inlined
def error_of_one(spline: Spline, scratch: Scratch, moments: Any, s: Any, e: Any) -> Any:
    """Return the squared error between knots s and e, with one line there, and of what the other samples say."""
    left, right = scratch.from_left, scratch.from_right
    done = eliminated(left[s, 0], left[s, 1], moments, spline.knots[s], spline.knots[e])
    return done.residual + joined_error(done.weight, done.target, right[e, 0], right[e, 1]) + moments.error


@inlined
def error_of_two(spline: Spline, scratch: Scratch, a: Any, b: Any, knot: Any, ends: Any) -> Any:
    """Return the same for the knots `ends` with another knot in between."""
    left, right = scratch.from_left, scratch.from_right
    s, e = ends
    done = eliminated(left[s, 0], left[s, 1], a, spline.knots[s], knot)
    then = eliminated(done.weight, done.target, b, knot, spline.knots[e])
    error = done.residual + then.residual + a.error + b.error
    return error + joined_error(then.weight, then.target, right[e, 0], right[e, 1])


@inlined
def best_split(samples: Samples, spline: Spline, scratch: Scratch, s: Any, e: Any, n_least: Any) -> Any:
    """Return the first sample of the second half of the best split between two knots, and the squared error there.

    At most `scratch.n_splits` places are tried. The sample is -1 if there are too few.
    """
    first, x = spline.first, samples.x
    low, high = first[s] + n_least, first[e] - n_least
    n_splits = min(scratch.n_splits, high - low + 1)
    best = -1
    least = np.inf
    for i in range(n_splits):
        middle = low + (2 * i + 1) * (high - low) // (2 * n_splits)
        a, b = moments_of(samples, first[s], middle), moments_of(samples, middle, first[e])
        error = error_of_two(spline, scratch, a, b, 0.5 * (x[middle - 1] + x[middle]), (s, e))
        if error < least * (1.0 - TIE):
            least = error
            best = middle
    return best, least


@inlined
def rate_knots(samples: Samples, spline: Spline, scratch: Scratch, n_least: Any) -> None:
    """Overwrite what the removal of each knot costs, and what the best split of each piece gains, and where."""
    for s in range(spline.first.size - 1):
        own = stored(spline.moments[s])
        if s > 0:
            before = stored(spline.moments[s - 1])
            now = error_of_two(spline, scratch, before, own, spline.knots[s], (s - 1, s + 1))
            without = error_of_one(spline, scratch, combined(before, own), s - 1, s + 1)
            scratch.ease[s] = 1.0 / max(without - now, TINY)
        place, split = best_split(samples, spline, scratch, s, s + 1, n_least)
        scratch.split[s] = place
        scratch.gain[s] = max(error_of_one(spline, scratch, own, s, s + 1) - split, 0.0)


@inlined
def threshold(entries: Any, n: Any) -> Any:
    """Return a number that about n of the positive entries exceed.

    The bisection is coarse, so that entries that are equal but for rounding lie on one side.
    """
    low, high = LOWEST, HIGHEST
    for _ in range(N_BISECTIONS):
        middle = 0.5 * (low + high)
        limit = 2.0**middle
        count = 0
        for i in range(entries.size):
            count += entries[i] > limit
        if count >= n:
            low = middle
        else:
            high = middle
    return 2.0**low


@inlined
def choose_swaps(scratch: Scratch, n_swaps: Any) -> Any:
    """Mark at most n_swaps pieces to split and as many knots to remove; return how many.

    No knot of a split piece is removed, and no two neighbours: their costs and gains depend on each other.
    """
    ease, gain, marks = scratch.ease, scratch.gain, scratch.marks
    n_pieces = gain.size
    while n_swaps > 0:
        least_gain = threshold(gain, n_swaps)
        least_ease = threshold(ease, n_swaps)
        if least_gain * least_ease > 1.0:
            break
        n_swaps //= 2
    if n_swaps == 0:
        return 0
    n_split = 0
    for s in range(n_pieces):
        splits = gain[s] > least_gain and n_split < n_swaps
        marks[s] = SPLIT if splits else 0
        n_split += splits
    n_removed = 0
    for s in range(1, n_pieces):
        touches = marks[s] & SPLIT or marks[s - 1] != 0
        if ease[s] > least_ease and n_removed < n_split and not touches:
            marks[s] |= REMOVED
            n_removed += 1
    for s in range(n_pieces - 1, -1, -1):
        if n_split > n_removed and marks[s] & SPLIT:
            marks[s] = 0
            n_split -= 1
    return n_removed


@inlined
def relocate(samples: Samples, spline: Spline, scratch: Scratch, trial: Spline) -> None:
    """Overwrite the knots of the trial with those of the spline after the marked swaps."""
    x, first = samples.x, spline.first
    n_pieces = first.size - 1
    k = 0
    for s in range(n_pieces):
        if not scratch.marks[s] & REMOVED:
            trial.knots[k] = spline.knots[s]
            trial.first[k] = first[s]
            k += 1
        if scratch.marks[s] & SPLIT:
            middle = scratch.split[s]
            trial.knots[k] = 0.5 * (x[middle - 1] + x[middle])
            trial.first[k] = middle
            k += 1
    trial.knots[n_pieces] = spline.knots[n_pieces]
    trial.first[n_pieces] = first[n_pieces]


@inlined
def relocate_one(samples: Samples, spline: Spline, scratch: Scratch, trial: Spline, action: Any, n_least: Any) -> None:
    """Overwrite the knots of the trial: one knot has moved between its neighbours, or to the best other piece."""
    x, first = samples.x, spline.first
    n_pieces = first.size - 1
    removed = action // 2 + 1
    place, _ = best_split(samples, spline, scratch, removed - 1, removed + 1, n_least)
    if action % 2 == 1:
        most = 0.0
        for s in range(n_pieces):
            if scratch.gain[s] > most * (1.0 + TIE) and s != removed and s != removed - 1:
                most = scratch.gain[s]
                place = scratch.split[s]
    copy_spline(spline, trial)
    if place < 0:
        return
    k = removed
    while k < n_pieces - 1 and first[k + 1] <= place:
        trial.knots[k] = spline.knots[k + 1]
        trial.first[k] = first[k + 1]
        k += 1
    while k > 1 and first[k - 1] >= place:
        trial.knots[k] = spline.knots[k - 1]
        trial.first[k] = first[k - 1]
        k -= 1
    trial.knots[k] = 0.5 * (x[place - 1] + x[place])
    trial.first[k] = place

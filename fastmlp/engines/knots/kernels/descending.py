"""The search for the best knots: steps of all knots, then relocation, as long as the squared error falls."""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.jit import njit
from fastmlp.engines.knots.kernels.evaluating import (
    copy_spline,
    place_samples,
    solve_values,
    sum_from_right,
    sum_pieces,
)
from fastmlp.engines.knots.kernels.layout import Samples, Scratch, Splines
from fastmlp.engines.knots.kernels.moving import move_knots, solve_lines
from fastmlp.engines.knots.kernels.relocating import choose_swaps, rate_knots, relocate, relocate_one

FIRST_DAMPING, HARDER, SOFTER = 0.1, 4.0, 0.25
MOST_FAILURES = 8  # of trials in a row: with 4, sin(20 x) with 60 units ends 20 % higher
SMALL = 1e-3  # relative decrease of the squared error: two in a row end the steps, and a relocation must gain it
SWAPPED = 4  # at first, one of so many knots is relocated
FEW = 8  # pieces, up to which each knot is also relocated alone


@njit
def improve(samples: Samples, splines: Splines, scratch: Scratch, n_least: int, n_most: int) -> int:
    """Improve the spline whose knots are in `trial`, until nothing helps or for n_most evaluations; return how many."""
    best, spline, trial = splines.best, splines.current, splines.trial
    n_pieces = best.knots.size - 1
    best.squared_error[0] = np.inf
    spline.squared_error[0] = np.inf
    n_swaps = n_pieces // SWAPPED + 1
    action = failures = small_steps = 0
    damping = FIRST_DAMPING
    for n in range(1, n_most + 1):
        place_samples(samples, trial, n_least)
        sum_pieces(samples, trial)
        solve_values(trial, scratch)
        old, new = spline.squared_error[0], trial.squared_error[0]
        if new < old:
            copy_spline(trial, spline)
            damping *= SOFTER
            failures = 0
            small_steps = small_steps + 1 if new > old * (1.0 - SMALL) else 0
        else:
            damping *= HARDER
            failures += 1
        goes_on = small_steps < 2 and failures < MOST_FAILURES
        if goes_on and n < n_most:
            solve_lines(spline, damping, scratch)
            move_knots(spline, scratch, trial)
            continue
        if spline.squared_error[0] < best.squared_error[0] * (1.0 - SMALL):
            action = 0
        elif n_swaps > 0:
            n_swaps //= 2
        else:
            action += 1
        if spline.squared_error[0] < best.squared_error[0]:
            copy_spline(spline, best)
        if n == n_most:
            return n_most
        copy_spline(best, trial)
        solve_values(trial, scratch)
        sum_from_right(trial, scratch)
        rate_knots(samples, trial, scratch, n_least)
        if n_swaps > 0:
            n_swaps = choose_swaps(scratch, n_swaps)
        if n_swaps > 0:
            relocate(samples, best, scratch, trial)
        elif n_pieces <= FEW and action < 2 * (n_pieces - 1):
            relocate_one(samples, best, scratch, trial, action, n_least)
        else:
            return n
        spline.squared_error[0] = np.inf
        damping = FIRST_DAMPING
        failures = small_steps = 0
    return n_most

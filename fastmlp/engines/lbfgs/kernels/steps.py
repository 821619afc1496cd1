"""The steps of L-BFGS: the direction, the line search and the rules that end it.

`next_trial` does everything between two evaluations of the objective. A kernel calls it, evaluates the objective at the
trial, and calls it again. So each objective has its own compiled loop, and nothing returns to Python within a call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.lbfgs.rules import (
    BETWEEN,
    BLOCK,
    C1,
    C2,
    CONVERGED,
    MAX_TRIALS,
    NEW,
    STALLED,
    START,
    TRAINED,
    TRIAL,
)


class Iterate(NamedTuple):
    """The parameters theta, the trial of the search, the gradients at both, and the direction: (n_parameters,) each."""

    theta: Any
    gradient: Any
    direction: Any
    trial: Any
    trial_gradient: Any


class Pairs(NamedTuple):
    """The last changes of theta and of the gradient, s and y (n_pairs, n_parameters), and rho = 1 / s.y (n_pairs,).

    The pairs are in a ring, of which an unused entry has rho 0 and finite s and y; n_pairs is a multiple of BLOCK.
    cross[k] (BLOCK - 1,) are the products of y of pair k with s of the pairs before it. alpha (n_pairs,) is
    overwritten.
    """

    s: Any
    y: Any
    rho: Any
    alpha: Any
    cross: Any


class Run(NamedTuple):
    """What a kernel trains.

    search has one entry of the dtype `rules.SEARCH`. decay and is_trained (n_parameters,) are the factor of the penalty
    of each parameter, and 1, or 0 for one that keeps its value. trial_error (n_out,) has the squared errors of the
    trial, squared_error (n_epochs, n_out) is overwritten with those after each epoch.
    """

    iterate: Iterate
    pairs: Pairs
    search: Any
    decay: Any
    is_trained: Any
    trial_error: Any
    squared_error: Any


@inlined
def dot(a: Any, b: Any) -> Any:
    """Return a.b."""
    result = 0.0
    for i in range(a.size):
        result += a[i] * b[i]
    return result


@inlined
def dots(rows: Any, k: Any, d: Any) -> Any:
    """Return the products of d with four rows, the numbers of which are in k."""
    a, b, c, e = rows[k[0]], rows[k[1]], rows[k[2]], rows[k[3]]
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for i in range(d.size):
        first += a[i] * d[i]
        second += b[i] * d[i]
        third += c[i] * d[i]
        fourth += e[i] * d[i]
    return first, second, third, fourth


@inlined
def add_rows(d: Any, factors: Any, rows: Any, k: Any) -> None:
    """Add the multiples of four rows, the numbers of which are in k, to d."""
    a, b, c, e = rows[k[0]], rows[k[1]], rows[k[2]], rows[k[3]]
    for i in range(d.size):
        d[i] += (factors[0] * a[i] + factors[1] * b[i]) + (factors[2] * c[i] + factors[3] * e[i])


@inlined
def block_of(k: Any, n_pairs: Any) -> Any:
    """Return the numbers of four pairs: k and those before it."""
    second = k - 1 if k > 0 else n_pairs - 1
    third = second - 1 if second > 0 else n_pairs - 1
    return k, second, third, third - 1 if third > 0 else n_pairs - 1


@inlined
def remove_changes(pairs: Pairs, k: Any, d: Any) -> None:
    """Subtract alpha y from d for the four pairs k, from the newest to the oldest, with alpha = rho s.d."""
    x, rho = pairs.cross, pairs.rho
    p, q, r, t = dots(pairs.s, k, d)
    p = rho[k[0]] * p
    q = rho[k[1]] * (q - p * x[k[0], 0])
    r = rho[k[2]] * (r - p * x[k[0], 1] - q * x[k[1], 0])
    t = rho[k[3]] * (t - p * x[k[0], 2] - q * x[k[1], 1] - r * x[k[2], 0])
    pairs.alpha[k[0]], pairs.alpha[k[1]], pairs.alpha[k[2]], pairs.alpha[k[3]] = p, q, r, t
    add_rows(d, (-p, -q, -r, -t), pairs.y, k)


@inlined
def add_changes(pairs: Pairs, k: Any, d: Any) -> None:
    """Add (alpha - rho y.d) s to d for the four pairs k, from the oldest to the newest."""
    x, rho, alpha = pairs.cross, pairs.rho, pairs.alpha
    p, q, r, t = dots(pairs.y, k, d)
    t = alpha[k[3]] - rho[k[3]] * t
    r = alpha[k[2]] - rho[k[2]] * (r + t * x[k[2], 0])
    q = alpha[k[1]] - rho[k[1]] * (q + t * x[k[1], 1] + r * x[k[1], 0])
    p = alpha[k[0]] - rho[k[0]] * (p + t * x[k[0], 2] + r * x[k[0], 1] + q * x[k[0], 0])
    add_rows(d, (p, q, r, t), pairs.s, k)


@inlined
def find_direction(run: Run) -> None:
    """Overwrite the direction with -H g, for the inverse Hessian H that the pairs imply: the two-loop recursion.

    It takes the pairs in blocks of four, so that d passes through the registers half as often: of two pairs, the
    product of the second with d after the first is that before it plus a multiple of s.y.
    """
    state = run.search[0]
    pairs, d = run.pairs, run.iterate.direction
    n_pairs = pairs.rho.size
    for i in range(d.size):
        d[i] = -run.iterate.gradient[i]
    n_blocks = (state.n_stored + BLOCK - 1) // BLOCK
    k = state.newest
    for _ in range(n_blocks):
        remove_changes(pairs, block_of(k, n_pairs), d)
        k = (k + n_pairs - BLOCK) % n_pairs
    if n_blocks > 0:
        for i in range(d.size):
            d[i] *= state.scale
    for _ in range(n_blocks):
        k = (k + BLOCK) % n_pairs
        add_changes(pairs, block_of(k, n_pairs), d)


@inlined
def forget_pairs(run: Run) -> None:
    """Let the next direction be that of steepest descent."""
    run.search[0].n_stored = 0
    for k in range(run.pairs.rho.size):
        run.pairs.rho[k] = 0.0


@inlined
def write_trial(run: Run, step: Any) -> None:
    """Overwrite the trial with theta + step d."""
    iterate = run.iterate
    run.search[0].step = step
    run.search[0].stage = TRIAL
    for i in range(iterate.theta.size):
        iterate.trial[i] = iterate.theta[i] + step * iterate.direction[i]


@inlined
def begin_step(run: Run) -> None:
    """Write the first trial of a step, or end the search."""
    state = run.search[0]
    if state.n_done == run.squared_error.shape[0]:
        return
    if state.n_small_decreases >= state.max_small_decreases:
        state.status = CONVERGED
        return
    find_direction(run)
    slope = dot(run.iterate.gradient, run.iterate.direction)
    if state.n_stored > 0 and not -np.inf < slope < 0.0:
        forget_pairs(run)
        find_direction(run)
        slope = dot(run.iterate.gradient, run.iterate.direction)
    if slope == 0.0:
        state.status = CONVERGED
    elif -np.inf < slope < 0.0:
        state.slope = slope
        state.low = 0.0
        state.high = np.inf
        state.n_trials = 0
        write_trial(run, 1.0 if state.n_stored > 0 else 1.0 / np.sqrt(-slope))
    else:
        state.status = STALLED


@inlined
def penalised_objective(run: Run) -> Any:
    """Return the objective at the trial and its slope along the direction.

    The penalty is added to the gradient, which is 0 for what is not trained.
    """
    iterate = run.iterate
    penalty = 0.0
    slope = 0.0
    for i in range(iterate.trial.size):
        decayed = run.decay[i] * iterate.trial[i]
        penalty += decayed * iterate.trial[i]
        gradient = run.is_trained[i] * (iterate.trial_gradient[i] + decayed)
        iterate.trial_gradient[i] = gradient
        slope += gradient * iterate.direction[i]
    error = 0.0
    for o in range(run.trial_error.size):
        error += run.trial_error[o]
    return 0.5 * (error + penalty), slope


@inlined
def take_step(run: Run) -> None:
    """Make the trial the iterate and remember the changes as a pair, which is unused unless the slope rose."""
    iterate, pairs = run.iterate, run.pairs
    state = run.search[0]
    k = state.newest + 1 if state.newest < pairs.rho.size - 1 else 0
    _, first, second, third = block_of(k, pairs.rho.size)
    new_s, new_y, s1, s2, s3 = pairs.s[k], pairs.y[k], pairs.s[first], pairs.s[second], pairs.s[third]
    sy, yy, cross1, cross2, cross3 = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(iterate.theta.size):
        s = iterate.trial[i] - iterate.theta[i]
        y = iterate.trial_gradient[i] - iterate.gradient[i]
        sy += s * y
        yy += y * y
        cross1 += y * s1[i]
        cross2 += y * s2[i]
        cross3 += y * s3[i]
        new_s[i] = s
        new_y[i] = y
        iterate.theta[i] = iterate.trial[i]
        iterate.gradient[i] = iterate.trial_gradient[i]
    pairs.cross[k, 0], pairs.cross[k, 1], pairs.cross[k, 2] = cross1, cross2, cross3
    if sy > 0.0 and 1.0 / sy < np.inf and yy < np.inf:
        pairs.rho[k] = 1.0 / sy
        state.scale = sy / yy
        state.newest = k
        state.n_stored = min(state.n_stored + 1, pairs.rho.size)
    else:
        pairs.rho[k] = 0.0
        for i in range(new_s.size):
            new_s[i] = new_y[i] = 0.0


@inlined
def accept(run: Run, objective: Any) -> None:
    """Make the trial the iterate."""
    iterate = run.iterate
    state = run.search[0]
    if state.stage == TRIAL:
        take_step(run)
        is_small = not state.objective - objective > state.small_decrease * state.objective
        state.n_small_decreases = state.n_small_decreases + 1 if is_small else 0
        for o in range(run.trial_error.size):
            run.squared_error[state.n_done, o] = run.trial_error[o]
        state.n_done += 1
    else:
        for i in range(iterate.theta.size):
            iterate.theta[i] = iterate.trial[i]
            iterate.gradient[i] = iterate.trial_gradient[i]
    state.objective = objective
    state.stage = BETWEEN


@inlined
def judge_trial(run: Run) -> None:
    """Accept the trial, or write the next one of the search, or end a search that has found no step."""
    state = run.search[0]
    objective, slope = penalised_objective(run)
    state.n_evaluations += 1
    decreases = objective <= state.objective + C1 * state.step * state.slope and abs(slope) < np.inf
    if state.stage == START or (decreases and slope >= C2 * state.slope):
        accept(run, objective)
        return
    if decreases:
        state.low = state.step
    else:
        state.high = state.step
    state.n_trials += 1
    if state.n_trials < MAX_TRIALS:
        write_trial(run, 0.5 * (state.low + state.high) if state.high < np.inf else 2.0 * state.low)
        return
    state.stage = BETWEEN
    if state.n_stored == 0:
        state.status = STALLED
    forget_pairs(run)


@inlined
def next_trial(run: Run) -> None:
    """Go on from the evaluated trial to the next one that must be evaluated; is_searching becomes 0 if there is none.

    Of a NEW search the trial is theta itself.
    """
    state = run.search[0]
    if state.stage == NEW:
        for i in range(run.iterate.theta.size):
            run.iterate.trial[i] = run.iterate.theta[i]
        state.stage = START
    else:
        if state.stage != BETWEEN:
            judge_trial(run)
        if state.stage == BETWEEN and state.status == TRAINED:
            begin_step(run)
        if state.stage == BETWEEN:
            state.is_searching = 0

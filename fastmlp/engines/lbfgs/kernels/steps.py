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

    alpha (n_pairs,) is overwritten.
    """

    s: Any
    y: Any
    rho: Any
    alpha: Any


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
def add_multiple(a: Any, factor: Any, b: Any) -> None:
    """Add factor b to a."""
    for i in range(a.size):
        a[i] += factor * b[i]


@inlined
def find_direction(run: Run) -> None:
    """Overwrite the direction with -H g, for the inverse Hessian H that the pairs imply: the two-loop recursion."""
    state = run.search[0]
    pairs, d = run.pairs, run.iterate.direction
    n_pairs = pairs.rho.size
    for i in range(d.size):
        d[i] = -run.iterate.gradient[i]
    if state.n_stored == 0:
        return
    k = state.newest
    for _ in range(state.n_stored):
        pairs.alpha[k] = pairs.rho[k] * dot(pairs.s[k], d)
        add_multiple(d, -pairs.alpha[k], pairs.y[k])
        k = k - 1 if k > 0 else n_pairs - 1
    for i in range(d.size):
        d[i] *= state.scale
    for _ in range(state.n_stored):
        k = k + 1 if k < n_pairs - 1 else 0
        add_multiple(d, pairs.alpha[k] - pairs.rho[k] * dot(pairs.y[k], d), pairs.s[k])


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
        state.n_stored = 0
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
    """Return the objective at the trial; add the penalty to its gradient, which is 0 for what is not trained."""
    iterate = run.iterate
    penalty = 0.0
    for i in range(iterate.trial.size):
        decayed = run.decay[i] * iterate.trial[i]
        penalty += decayed * iterate.trial[i]
        iterate.trial_gradient[i] = run.is_trained[i] * (iterate.trial_gradient[i] + decayed)
    error = 0.0
    for o in range(run.trial_error.size):
        error += run.trial_error[o]
    return 0.5 * (error + penalty)


@inlined
def remember_pair(run: Run) -> None:
    """Take the change from theta to the trial into the pairs, if the slope rose along it."""
    iterate, pairs = run.iterate, run.pairs
    state = run.search[0]
    sy = 0.0
    yy = 0.0
    for i in range(iterate.theta.size):
        y = iterate.trial_gradient[i] - iterate.gradient[i]
        sy += (iterate.trial[i] - iterate.theta[i]) * y
        yy += y * y
    if not (sy > 0.0 and 1.0 / sy < np.inf and yy < np.inf):
        return
    k = state.newest + 1 if state.newest < pairs.rho.size - 1 else 0
    for i in range(iterate.theta.size):
        pairs.s[k, i] = iterate.trial[i] - iterate.theta[i]
        pairs.y[k, i] = iterate.trial_gradient[i] - iterate.gradient[i]
    pairs.rho[k] = 1.0 / sy
    state.scale = sy / yy
    state.newest = k
    state.n_stored = min(state.n_stored + 1, pairs.rho.size)


@inlined
def accept(run: Run, objective: Any) -> None:
    """Make the trial the iterate."""
    iterate = run.iterate
    state = run.search[0]
    if state.stage == TRIAL:
        remember_pair(run)
        is_small = not state.objective - objective > state.small_decrease * state.objective
        state.n_small_decreases = state.n_small_decreases + 1 if is_small else 0
        for o in range(run.trial_error.size):
            run.squared_error[state.n_done, o] = run.trial_error[o]
        state.n_done += 1
    for i in range(iterate.theta.size):
        iterate.theta[i] = iterate.trial[i]
        iterate.gradient[i] = iterate.trial_gradient[i]
    state.objective = objective
    state.stage = BETWEEN


@inlined
def judge_trial(run: Run) -> None:
    """Accept the trial, or write the next one of the search, or end a search that has found no step."""
    state = run.search[0]
    objective = penalised_objective(run)
    state.n_evaluations += 1
    slope = dot(run.iterate.trial_gradient, run.iterate.direction)
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
    state.n_stored = 0  # the next direction is that of steepest descent


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

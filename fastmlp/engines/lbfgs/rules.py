"""The constants of L-BFGS, which the plain and the compiled engines share.

The line search bisects for a step t along the direction d that satisfies the weak Wolfe conditions::

    f(theta + t d) <= f(theta) + C1 t g.d        the objective decreases enough
    f'(theta + t d).d >= C2 g.d                  the slope along d has risen enough

At a kink of ReLU the slope jumps. A search that interpolates trusts the slope and may stop there; bisection does not
(Lewis and Overton, "Nonsmooth optimization via quasi-Newton methods", 2013).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.engines.engine import Status

C1 = 1e-4
C2 = 0.9
MAX_TRIALS = 50  # of one search; then the step is 1e-15 of the first, or 1e15 times as long
SMALL_DECREASE = 1e-12  # relative
MAX_SMALL_DECREASES = 10  # one after another

# Changes of the parameters and the gradient that are remembered. With 3,001 parameters (sin x, 100 samples) 20 take
# 33 us a step and 12 take 25; with 20 the RMSE is lower from 0.1 s on (2.0e-5; 3.0e-5 with 10).
MANY_PAIRS, FEW_PAIRS = 20, 12
BLOCK = 4  # pairs that are taken together
SMALL_MODEL = 4000  # parameters up to which there are many pairs

# Stages of a search: nothing is evaluated yet, the start is being evaluated, a step has ended, a trial is evaluated.
NEW, START, BETWEEN, TRIAL = range(4)
STATUS = (Status.TRAINED, Status.CONVERGED, Status.STALLED)
TRAINED, CONVERGED, STALLED = range(3)

# The numbers of a search. objective and slope, g.d, are those at theta. low is the longest step that decreases the
# objective enough but whose slope is too steep, high the shortest one that does not decrease it enough. The pairs are
# in a ring. scale is s.y / y.y of the newest pair, the size of the inverse Hessian before the pairs correct it. The
# search has converged when max_small_decreases steps in a row have decreased the objective by at most small_decrease of
# itself.
SEARCH = np.dtype(
    [
        ("stage", np.int64),
        ("status", np.int64),
        ("is_searching", np.int64),
        ("n_done", np.int64),
        ("n_evaluations", np.int64),
        ("n_small_decreases", np.int64),
        ("n_stored", np.int64),
        ("newest", np.int64),
        ("n_trials", np.int64),
        ("scale", np.float64),
        ("objective", np.float64),
        ("slope", np.float64),
        ("step", np.float64),
        ("low", np.float64),
        ("high", np.float64),
        ("max_small_decreases", np.int64),
        ("small_decrease", np.float64),
    ]
)


def new_searches(n_searches: int, n_pairs: int, small_decrease: float, max_small_decreases: int) -> Any:
    """Return the numbers of searches (n_searches,) that have not begun, as a record array."""
    searches = np.zeros(n_searches, SEARCH).view(np.recarray)
    searches["stage"] = NEW
    searches["newest"] = n_pairs - 1
    searches["small_decrease"] = small_decrease
    searches["max_small_decreases"] = max_small_decreases
    return searches


def n_pairs_of(n_parameters: int) -> int:
    """Return how many pairs to remember."""
    return MANY_PAIRS if n_parameters <= SMALL_MODEL else FEW_PAIRS

"""L-BFGS on many nets: every thread trains one net after another."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.compiled.jit import njit
from fastmlp.compiled.threads import claim
from fastmlp.engines.lbfgs.kernels.steps import Iterate, Pairs, Run, next_trial
from fastmlp.engines.lbfgs.rules import TRAINED
from fastmlp.engines.net_batches.kernels.objective import Rows, Workspace, evaluate


class Nets(NamedTuple):
    """The nets: the arrays of `Run` for each, with a first axis of nets.

    table (n_nets,) is the number of the table that a net is trained on. decay (n_nets, n_parameters).
    """

    iterate: Iterate
    pairs: Pairs
    search: Any
    decay: Any
    trial_error: Any
    table: Any


class Tables(NamedTuple):
    """All tables one after another, and where each begins and ends: ends (n_tables, 2)."""

    rows: Rows
    ends: Any


class Scratch(NamedTuple):
    """What a thread overwrites: the arrays of `Workspace` with a first axis of threads, and those of `Run`.

    squared_error (n_threads, at least n_steps, n_out). is_trained (n_parameters,)
    is read only.
    """

    workspace: Workspace
    squared_error: Any
    is_trained: Any


@njit
def train_nets(nets: Nets, tables: Tables, scratch: Scratch, n_steps: Any, progress: Any, thread: Any) -> int:
    """Train each net for n_steps steps, or until its search ends.

    Any number of threads may call this with the same arrays. A net is trained by one of them, so the results do not
    depend on their number.
    """
    iterate, pairs = nets.iterate, nets.pairs
    of_thread = scratch.workspace
    workspace = Workspace(
        of_thread.theta[thread],
        of_thread.dtheta[thread],
        of_thread.db2[thread],
        of_thread.hidden[thread],
        of_thread.sums[thread],
        of_thread.error[thread],
    )
    for i in range(nets.table.size):
        if nets.search[i].status != TRAINED or not claim(progress, i, 1):
            continue
        run = Run(
            Iterate(
                iterate.theta[i],
                iterate.gradient[i],
                iterate.direction[i],
                iterate.trial[i],
                iterate.trial_gradient[i],
            ),
            Pairs(pairs.s[i], pairs.y[i], pairs.rho[i], pairs.alpha[i], pairs.cross[i]),
            nets.search[i : i + 1],
            nets.decay[i],
            scratch.is_trained,
            nets.trial_error[i],
            scratch.squared_error[thread, :n_steps],
        )
        ends = tables.ends[nets.table[i], 0], tables.ends[nets.table[i], 1]
        run.search[0].n_done = 0
        run.search[0].is_searching = 1
        next_trial(run)
        while run.search[0].is_searching:
            evaluate(workspace, tables.rows, ends, run.iterate.trial, run.iterate.trial_gradient, run.trial_error)
            next_trial(run)
    return 0

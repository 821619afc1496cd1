"""L-BFGS on the gradients of the two dense kernels, in several threads.

A call alternates two phases. In the first, one thread adds up the gradients of the parts and writes the next trial; in
the second, all threads share the pass over the samples out. So the sums do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.jit import inline_ir, inlined, njit
from fastmlp.compiled.threads import claim, finish, wait
from fastmlp.engines.dense.kernels import few_inputs, many_inputs
from fastmlp.engines.dense.kernels.epochs import Arrays, Plan
from fastmlp.engines.lbfgs.kernels.steps import Run, next_trial

few_inputs_pass = few_inputs.forward_backward
many_inputs_pass = many_inputs.forward_backward


@inlined
def sum_parts(by_part: Any, index: Any) -> Any:
    """Return the sum of by_part[:, *index]."""
    result = 0.0
    for part in range(by_part.shape[0]):
        result += by_part[(part, *index)]
    return result


@inlined
def take_few_inputs(run: Run, arrays: Arrays, plan: Plan) -> None:
    """Overwrite the gradient of the trial from the sums of a pass, which become zero.

    The parameters are theta (n_in + 2, n_padded), the rows of w1, b1 and w2, and b2.
    """
    theta, gradient = run.iterate.trial, run.iterate.trial_gradient
    active_sums, all_sums = arrays.gradients
    _, n_rows, n = active_sums.shape
    n_in = n_rows - 1
    for k in range(n_rows):
        leaky = plan.negative_slope * sum_parts(all_sums, (k,))
        for j in range(n):
            total = leaky + (1.0 - plan.negative_slope) * sum_parts(active_sums, (k, j))
            gradient[k * n + j] = total * theta[(n_in + 1) * n + j]
            product = total * theta[k * n + j]
            gradient[(n_in + 1) * n + j] = product if k == 0 else gradient[(n_in + 1) * n + j] + product
    active_sums[:] = 0.0
    gradient[(n_in + 2) * n] = sum_parts(all_sums, (n_in,))


@inlined
def take_many_inputs(run: Run, arrays: Arrays, plan: Plan) -> None:
    """Overwrite the gradient of the trial with the sum over the parts, which become zero.

    The parameters are theta (n_panels, n_in + 1 + n_out, units) and b2.
    """
    gradient = run.iterate.trial_gradient
    dtheta, db2 = arrays.gradients
    _, n_panels, n_rows, units = dtheta.shape
    i = 0
    for p in range(n_panels):
        for row in range(n_rows):
            for u in range(units):
                gradient[i] = sum_parts(dtheta, (p, row, u))
                i += 1
    dtheta[:] = 0.0
    for o in range(db2.shape[1]):
        gradient[i + o] = sum_parts(db2, (o,))


@inline_ir
def minimise(take: Any, forward_backward: Any, run: Run, work: Any, progress: Any, thread: Any) -> None:
    """Train for as many epochs as squared_error has rows, or until the search ends.

    Any number of threads may call this with the same arrays. work is the `Arrays`, whose theta is the first part of the
    trial, and the `Plan` of a pass. The functions of a kernel are known when it is compiled.
    """
    arrays, plan = work
    n_parts, n_out = arrays.squared_error.shape[1:]
    n_phases = 0
    while True:
        for is_pass in range(2):
            n_phases += 1
            for i in range(n_parts):
                part = (thread + i) % n_parts
                if n_parts == 1 or claim(progress, part, n_phases):
                    if is_pass:
                        forward_backward(arrays, plan, 0, 0, part)
                    elif part == 0:
                        take(run, arrays, plan)
                        for o in range(n_out):
                            run.trial_error[o] = sum_parts(arrays.squared_error[0], (o,))
                        next_trial(run)
                        arrays.squared_error[:] = 0.0
                        for o in range(n_out):
                            arrays.parameters.b2[o, :] = run.iterate.trial[arrays.parameters.theta.size + o]
                    finish(progress)
            wait(progress, n_phases * n_parts)
            if not run.search[0].is_searching:
                return


@njit
def minimise_few_inputs(run: Run, work: Any, progress: Any, thread: Any) -> None:
    """Do what `minimise` does, for at most 8 inputs and one output."""
    minimise(take_few_inputs, few_inputs_pass, run, work, progress, thread)


@njit
def minimise_many_inputs(run: Run, work: Any, progress: Any, thread: Any) -> None:
    """Do what `minimise` does, for any number of inputs and outputs."""
    minimise(take_many_inputs, many_inputs_pass, run, work, progress, thread)

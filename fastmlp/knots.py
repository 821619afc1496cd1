"""`fit_knots`: the least-squares linear spline with free knots, as a network of one input and one output."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.knots.solving import (
    MOST_EVALUATIONS,
    SAMPLES_PER_PIECE,
    Solution,
    compile_kernels,
    free_knots,
    knots_at_samples,
)
from fastmlp.engines.univariate.samples import SortedSamples, sorted_samples
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import read_only_history
from fastmlp.models.model import Model
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.coordinates import find_coordinates
from fastmlp.starting.problem import make_problem
from fastmlp.starting.scaling import FLOAT64
from fastmlp.versions import versions

BYTES_PER_UNIT, BYTES_PER_SAMPLE = 2200, 105  # measured: up to 2104 at 100,000 units, and 105 at a million samples


def fit_knots(
    x: npt.ArrayLike, y: npt.ArrayLike, *, hidden: int = 15, sample_weight: npt.ArrayLike | None = None
) -> Model:
    """Fit a continuous piecewise-linear function whose breakpoints are chosen by least squares.

    The function has `hidden` pieces, so that a table of ``hidden + 1`` points describes it between the first and the
    last sample. It is returned as a network, with one hidden unit for each piece. Use it for the best small table of a
    smooth curve y(x), or for a network of few units that gradient descent cannot find. There is no start, no random
    number and no learning rate: the same samples give the same model.

    This function is provisional until version 1.0.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, 1)
        Inputs.
    y : array_like of shape (n,) or (n, 1)
        Targets.
    hidden : int, default 15
        Number of hidden units, which is the number of pieces.
        With at least one unit less than distinct inputs, the network joins the samples by straight lines.
    sample_weight : array_like of shape (n,) or None, default None
        Weights of the samples, at least 0; all equal by default.
        Samples of weight 0 are left out.

    Returns
    -------
    Model
        The network, in float64.
        ``model.info.method`` is "free knots", "knots at samples" or "interpolation".

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or if there are several inputs or outputs.
    MemoryError
        If the fit needs more memory than this machine has.

    See Also
    --------
    fit : Training by gradient descent, for any number of inputs and outputs.
    Model.to_piecewise : The breakpoints, values and slopes of the network.

    Notes
    -----
    The method is local. For a smooth function f on an interval of length T, its RMSE is near the asymptotic best for
    many samples [1]_::

        hidden^-2 * sqrt((integral |f''|^(2/5) dx)^5 / (720 T))

    which is no lower bound for a finite number of samples, and the result is not proved to be the best.

    - With at least 3 distinct inputs per unit, every piece has 3 samples or more, and the breakpoints lie anywhere
      between samples. On a fine grid, the RMSE is then at most 1.5 times that on the samples, if straight lines between
      the samples have at most half of its error.
    - With fewer, the breakpoints are samples.

    The start is the best division of the samples into separate lines, by dynamic programming. Each step moves each
    breakpoint to the intersection of the lines on either side [2]_. Useless breakpoints are then moved to other pieces.
    The time of a step is proportional to samples plus units.

    The network does not know noise from signal: with noisy targets and few samples per unit it fits the noise.

    Above the last sample, the last line continues. Below the first sample, the first line continues for the length of
    the range, and the function is constant below that.

    References
    ----------
    .. [1] C. de Boor, "Good approximation by splines with variable knots", Spline Functions and Approximation Theory,
       1973.
    .. [2] V. M. R. Muggeo, "Estimating regression models with unknown break-points", Statistics in Medicine 22, 2003.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> x = np.linspace(-np.pi, np.pi, 100)
    >>> model = fastmlp.fit_knots(x, np.sin(x), hidden=30)
    >>> model.rmse(x, np.sin(x)) < 8e-4
    True
    """
    started = time.perf_counter()
    data = _checked_samples(x, y, sample_weight)
    n_hidden = checks.count("hidden", hidden)
    checks.memory("hidden", f"{n_hidden}", BYTES_PER_UNIT * n_hidden + BYTES_PER_SAMPLE * len(data.x))
    # Unweighted, because next to a sample of weight 1e12 the others would have no spread.
    unweighted = replace(data, sample_weight=np.full(len(data.x), 1 / len(data.x)))
    coordinates = find_coordinates(unweighted, Architecture(1, n_hidden, 1), FLOAT64, standardize=True, known_maps=None)
    maps, problem = coordinates.maps, make_problem(coordinates, FLOAT64)
    samples = sorted_samples(replace(problem, sample_weight=data.sample_weight), may_centre=False)
    raw_x = np.sort(data.x[:, 0])[samples.n_before[:-1]]
    compiling = time.perf_counter()
    compile_kernels()
    compile_seconds = time.perf_counter() - compiling
    method, solution = _solve(samples, n_hidden)
    knots = _unmapped_knots(solution, samples.x, raw_x)
    with np.errstate(all="ignore"):
        values = solution.values * maps.y_scale[0] + maps.y_shift[0]
        weights = _polyline_net(knots, values, n_hidden)
    if not all(np.isfinite(array).all() for array in weights):
        raise ValueError(checks.wording("x and y", "within the range of float64", "an overflow", "Rescale them."))
    rmse = maps.y_scale[0] * np.sqrt(solution.squared_error + samples.scatter[0])
    n_steps = solution.n_evaluations
    return Model(
        *weights,
        x_range=np.array([[raw_x[0], raw_x[-1]]]),
        y_ndim=data.y_ndim,
        feature_names=data.x_names,
        target_names=data.y_names,
        history=read_only_history(np.array([n_steps]), np.array([rmse]), None, {}, None),
        info=FitInfo(
            algorithm="knots",
            method=method,
            optimizer="knots",
            lr=None,
            epochs_run=n_steps,
            best_epoch=n_steps,
            stop_reason="epochs" if n_steps == MOST_EVALUATIONS else "converged",
            crossings=None,
            live_units=None,
            fit_seconds=time.perf_counter() - started - compile_seconds,
            compile_seconds=compile_seconds,
            standardization=None,
            versions=dict(versions()),
        ),
    )


def _checked_samples(x: object, y: object, sample_weight: object) -> checks.Samples:
    """Return the samples of positive weight; they must have one input and one output."""
    data = checks.samples(x, y, sample_weight)
    remedies = {"x": "fastmlp.fit takes several inputs.", "y": "Fit each output by itself."}
    for name, remedy in remedies.items():
        n_columns = getattr(data, name).shape[1]
        if n_columns > 1:
            raise ValueError(checks.wording(name, "of one column", f"{n_columns}", remedy))
    return data.of_positive_weight()


def _solve(samples: SortedSamples, n_hidden: int) -> tuple[str, Solution]:
    """Return the name of the method, and the spline of the mapped samples."""
    n_samples = samples.x.size
    x, y, sample_weight = samples.x, samples.y[:, 0].copy(), samples.weight
    if n_hidden >= n_samples - 1:
        first = np.arange(n_samples)
        return "interpolation", Solution(x, y, first, squared_error=0.0, n_evaluations=1)
    if n_samples < SAMPLES_PER_PIECE * n_hidden:
        return "knots at samples", knots_at_samples(x, y, sample_weight, n_hidden)
    return "free knots", free_knots(x, y, sample_weight, n_hidden)


def _unmapped_knots(solution: Solution, x: Array, raw_x: Array) -> Array:
    """Return the knots in the units of the data, from their places between the samples on either side.

    The distance to a sample keeps its digits far from 0, where the map of a knot would lose them.
    """
    right = np.minimum(solution.first, x.size - 1)
    left = np.maximum(right - 1, 0)
    gap = np.where(right > left, x[right] - x[left], 1.0)
    from_right = (x[right] - solution.knots) / gap
    return np.asarray(raw_x[right] - from_right * (raw_x[right] - raw_x[left]))


def _polyline_net(knots: Array, values: Array, n_hidden: int) -> Weights:
    """Return the net that joins knots and values by lines; units that it does not need have w2 = 0.

    w1 is a power of two, so that the kinks -b1 / w1 are the knots to the last bit. The first line has its kink outside
    the range, because its unit is active on all samples.
    """
    span = knots[-1] - knots[0]
    scale = 2.0 ** -np.frexp(span)[1] if span > 0 else 1.0
    kinks = np.full(n_hidden, knots[0] - (span or 1.0 + abs(knots[0])))
    n_pieces = knots.size - 1
    w2 = np.zeros(n_hidden)
    if n_pieces > 0:
        kinks[1:n_pieces] = knots[1:-1]
        slopes = np.diff(values) / (np.diff(knots) * scale)
        w2[0], w2[1:n_pieces] = slopes[0], np.diff(slopes)
    b1 = -kinks * scale
    b2 = values[0] - w2[0] * (knots[0] * scale + b1[0])
    return Weights(np.full((1, n_hidden), scale), b1, w2[:, None], np.array([b2]))

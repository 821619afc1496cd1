"""fit(): check the call, scale the data, start the net, choose the engine, hand over to the drive, wrap the model."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.driving import CallbackInfo, Drive, Interrupt, Outcome
from fastmlp.engine import Engine, Problem, Rates, Shape, Weights
from fastmlp.model import FitInfo, Model
from fastmlp.recording import History, Recorder, default_record_every
from fastmlp.reference import ReferenceEngine
from fastmlp.scaling import Standardization, identity, standardization
from fastmlp.starting import NAMED_STARTS, automatic_rate, initial_weights
from fastmlp.versions import versions

ALGORITHMS = ("auto", "univariate", "dense", "reference")
MOST_OUTPUTS = 32  # of "univariate", whose kernels are compiled for each number: 3.5 s for 10, 9 s for 128
MODEL_BYTES = 2000  # of a Model besides its weights
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def fit(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    hidden: int = 1000,
    epochs: int = 32000,
    lr: float | Mapping[str, float] | str = "auto",
    init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
    rng: Any = None,
    standardize: bool | None = None,
    hidden_bias: bool = True,
    output_bias: bool = True,
    negative_slope: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    algorithm: str = "auto",
    dtype: npt.DTypeLike | None = None,
    record_every: int | None = None,
    snapshots: Iterable[int] | None = None,
    stop_at_crossing: bool = False,
    callback: Callable[[CallbackInfo], bool | None] | None = None,
    progress: bool | None = None,
) -> Model:
    """Train a two-layer ReLU network by full-batch gradient descent.

    The net is ``h2 = act(x w1 + b1) w2 + b2`` with ``act(z) = z if z > 0 else negative_slope * z``. Every epoch updates
    all parameters at once, ``p <- p - lr * d objective / d p``, for the objective
    ``1 / (2 sum s) * sum_i s_i |h2_i - y_i|^2`` with the sample weights s.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs: anything that `numpy.asarray` makes real numbers of. Never changed.
    y : array_like of shape (n,) or (n, n_out)
        Targets, likewise. `Model.predict` answers in as many dimensions.
    hidden : int, default 1000
        Number of hidden units; ignored when `init` holds weights.
    epochs : int, default 32000
        Number of updates.
    lr : float, mapping or "auto", default "auto"
        Learning rate, in the coordinates trained in. A mapping gives "w1", "b1", "w2", "b2" a rate each and names every
        trained group; 0 freezes a group. "auto" is 1 / lambda_max of the objective's Gauss-Newton matrix at the start:
        half of the rate above which gradient descent on the linearised net diverges.
    init : {"balanced", "he", "glorot"}, float, Model or (w1, b1, w2, b2), default "balanced"
        "balanced": w1, b1, w2 normal with standard deviation (hidden * (n_in + 1))^(-1/4). "he": sqrt(2 / fan_in) and
        zero biases; "glorot": sqrt(2 / (fan_in + fan_out)) and zero biases. A float: normal with that deviation for w1,
        b1 and w2. b2 starts at 0. A Model, or a tuple of arrays shaped as the model's, is where training starts. A
        Model goes on in the coordinates, at the rate and with the slope that it was trained with wherever
        `standardize`, `lr` and `negative_slope` are left at their defaults.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Where initial weights come from, as in `numpy.random.default_rng`; None is fresh entropy.
    standardize : bool or None, default None
        Whether to train on inputs and targets of weighted mean 0 and standard deviation 1 per column and fold the maps
        into the returned weights. None means yes when both `lr` and `init` are automatic ("auto" and "balanced"), and
        no otherwise. Inputs are shifted only with a hidden bias, targets only with an output bias; otherwise they are
        scaled to root mean square 1.
    hidden_bias, output_bias : bool, default True
        Whether b1 and b2 are trained; otherwise they are 0.
    negative_slope : float, default 0.0
        The slope of the activation below 0.
    sample_weight : array_like of shape (n,), optional
        Weights of the samples, at least 0; ones by default.
    algorithm : {"auto", "univariate", "dense", "reference"}, default "auto"
        The engine. "univariate" takes nets of one input, at a cost per epoch that depends little on the width, and not
        on the number of samples where units are few. "dense" takes any net and is compiled too; "reference" is NumPy.
        They agree to rounding, as long as the rate is stable. "auto" is "univariate" for one input and at most 32
        outputs, else "dense".
    dtype : {None, numpy.float32, numpy.float64}, default None
        Of the data and of the returned weights; None: float32 if x and y both are, else float64. "univariate" computes
        in float64 whatever it is, the others in this dtype.
    record_every : int, optional
        Spacing in epochs of the recorded RMSE; by default the smallest that gives at most a million records.
    snapshots : iterable of int, optional
        Epochs, from 0 to `epochs`, at which to keep the model in ``model.history.snapshots``.
    stop_at_crossing : bool, default False
        Whether to end the fit right after the first update that changes any unit's set of active samples, that update
        included. Needs the algorithm "univariate".
    callback : callable, optional
        Called with a `CallbackInfo` after every chunk of epochs: of 50 - 100 ms, shorter at first and before snapshots.
        Training stops when it returns True; its exceptions propagate.
    progress : bool or None, default None
        Whether to show a progress bar; None: on a terminal, for runs of more than about two seconds.

    Returns
    -------
    Model
        The trained net with its ``history`` and ``info``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value; before anything is computed.
    MemoryError
        If a size needs more than this machine's memory.
    DivergenceError
        If the RMSE stops being finite; it carries the last model whose RMSE was.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C ended the training; the model so far is returned.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> x = np.linspace(-np.pi, np.pi, 100)
    >>> model = fastmlp.fit(x, np.sin(x), hidden=100, epochs=2000, rng=0)
    >>> model.history.rmse[-1] < 0.05
    np.True_
    """
    data = checks.samples(x, y, sample_weight).of_positive_weight()
    trained = {
        "w1": True,
        "b1": checks.flag("hidden_bias", hidden_bias),
        "w2": True,
        "b2": checks.flag("output_bias", output_bias),
    }
    init = _checked_init(init, data, trained)
    n_hidden = checks.count("hidden", hidden) if isinstance(init, (str, float)) else init.b1.size
    epochs = checks.epoch_count("epochs", epochs)
    rate = checks.learning_rate(lr, trained)
    standardize = checks.optional_flag("standardize", standardize)
    negative_slope = checks.real("negative_slope", negative_slope)
    algorithm = _chosen(checks.choice("algorithm", algorithm, ALGORITHMS), data.x.shape[1], data.y.shape[1])
    final_dtype = data.dtype if dtype is None else checks.dtype("dtype", dtype)
    record_every = (
        default_record_every(epochs) if record_every is None else checks.epoch_count("record_every", record_every)
    )
    stop_at_crossing = _checked_stop_at_crossing(stop_at_crossing, algorithm)
    if callback is not None and not callable(callback):
        raise TypeError(checks.wording("callback", "callable", repr(callback)))
    progress = checks.optional_flag("progress", progress)
    generator = checks.generator("rng", rng)
    net_bytes = _require_memory(data, n_hidden, epochs, record_every, algorithm)
    kept = checks.snapshots(snapshots, epochs, net_bytes)

    with Interrupt() as interrupt:
        started = time.perf_counter()
        start = _start(data, init, n_hidden, generator, trained, standardize, rate, negative_slope, interrupt)
        rates = _rates(start.lr, trained, final_dtype)
        problem = _problem(data, start, final_dtype)
        compiling = time.perf_counter()
        shape = _shape(problem, n_hidden)
        engine_type = _engine(algorithm, shape)
        engine_type.compile(shape, final_dtype)
        compile_seconds = time.perf_counter() - compiling
        engine = engine_type(problem, start.weights, rates, start.negative_slope)
        x_range = np.stack([data.x.min(axis=0), data.x.max(axis=0)], axis=1)

        def make_model(weights: Weights, outcome: Outcome, history: History | None = None) -> Model:
            info = FitInfo(
                algorithm=algorithm,
                method=engine.method,
                lr=start.lr,
                epochs_run=outcome.epochs_run,
                best_epoch=outcome.epochs_run,
                stop_reason=outcome.stop_reason,
                crossings=outcome.crossings,
                live_units=engine.live_units,
                fit_seconds=time.perf_counter() - started - compile_seconds,
                compile_seconds=compile_seconds,
                standardization=start.maps if start.standardized else None,
                versions=dict(versions()),
            )
            folded = _folded(start.maps, weights, final_dtype)
            return Model(*folded, start.negative_slope, x_range=x_range, y_ndim=data.y_ndim, history=history, info=info)

        recorder = Recorder(epochs, record_every, start.maps.y_scale, counts_crossings=engine.counts_crossings)
        drive = Drive(engine, epochs, recorder, make_model, start.lr, stop_at_crossing=stop_at_crossing)
        outcome = drive.run(interrupt, kept, callback, progress)
    return make_model(engine.weights(), outcome, recorder.history())


def warmup() -> None:
    """Compile every kernel ahead of time, for both dtypes, and leave the machine code in the compile cache.

    It takes about a minute and a half on a cold cache. No later `fit` compiles anything, but of nets of one input and
    several outputs.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.warmup()  # doctest: +SKIP
    """
    from fastmlp.dense.engine import each_kernel
    from fastmlp.univariate.engine import each_univariate_kernel

    for dtype in DTYPES:
        for engine, shape in (*each_kernel(), *each_univariate_kernel()):
            engine.compile(shape, dtype)


@dataclass(frozen=True)
class _Start:
    """Where training starts: the weights, and the rate, in the coordinates of the maps.

    lr is None where Ctrl-C came before it was found; no epoch is trained then.
    """

    weights: Weights
    maps: Standardization
    standardized: bool
    negative_slope: float
    lr: float | dict[str, float] | None


def _chosen(algorithm: str, n_in: int, n_out: int) -> str:
    """Return the algorithm that a call trains with: what "auto" stands for."""
    is_univariate = n_in == 1 and n_out <= MOST_OUTPUTS
    if algorithm == "univariate" and not is_univariate:
        rule = f'"univariate" only for one input and at most {MOST_OUTPUTS} outputs'
        raise ValueError(checks.wording("algorithm", rule, f"{n_in} and {n_out}"))
    if algorithm == "auto":
        return "univariate" if is_univariate else "dense"
    return algorithm


def _shape(problem: Problem, n_hidden: int) -> Shape:
    """Return the sizes of a fit; samples of one input count once for each distinct value."""
    n_samples, n_in = problem.x.shape
    return Shape(np.unique(problem.x).size if n_in == 1 else n_samples, n_in, n_hidden, problem.y.shape[1])


def _checked_stop_at_crossing(stop_at_crossing: object, algorithm: str) -> bool:
    """Check the flag against the algorithm chosen."""
    checked = checks.flag("stop_at_crossing", stop_at_crossing)
    if checked and algorithm != "univariate":
        rule = 'False unless the algorithm is "univariate"'
        raise ValueError(checks.wording("stop_at_crossing", rule, f'True with "{algorithm}"'))
    return checked


def _checked_init(init: Any, data: checks.Samples, trained: dict[str, bool]) -> str | float | Model | Weights:
    """Check the start; a given net must fit the data and have no bias that is disabled."""
    if isinstance(init, str):
        return checks.choice("init", init, NAMED_STARTS)
    given: Model | Weights | None = init if isinstance(init, Model) else None
    if isinstance(init, tuple):
        if len(init) != len(Weights._fields):
            raise ValueError(checks.wording("init", "a tuple (w1, b1, w2, b2)", f"{len(init)} items"))
        given = checks.weights(Weights(*init), "init ")
    if given is None:
        rule = f"one of {NAMED_STARTS}, a positive number, a Model or a tuple (w1, b1, w2, b2)"
        if isinstance(init, (bool, np.bool_)) or not isinstance(init, numbers.Real):
            raise TypeError(checks.wording("init", rule, repr(init)))
        if checks.real("init", init) <= 0:
            raise ValueError(checks.wording("init", rule, repr(init)))
        return float(init)
    got, expected = (given.w1.shape[0], given.w2.shape[1]), (data.x.shape[1], data.y.shape[1])
    if got != expected:
        rule = f"a net of {expected[0]} inputs and {expected[1]} outputs, as the data has"
        raise ValueError(checks.wording("init", rule, f"one of {got[0]} and {got[1]}"))
    for name, option in (("b1", "hidden_bias"), ("b2", "output_bias")):
        bias = getattr(given, name)
        if not trained[name] and bias.any():
            raise ValueError(checks.wording(f"init {name}", f"0 with {option}=False", f"{bias[np.argmax(bias != 0)]}"))
    return given


def _start(
    data: checks.Samples,
    init: str | float | Model | Weights,
    n_hidden: int,
    rng: np.random.Generator,
    trained: dict[str, bool],
    standardize: bool | None,
    lr: float | dict[str, float] | None,
    negative_slope: float,
    interrupt: Interrupt,
) -> _Start:
    """Draw or take over the initial weights, in the coordinates that the call trains in; find the rate if not given."""
    continued = init.info if isinstance(init, Model) else None
    if standardize is None:
        standardize = init == "balanced" and lr is None if continued is None else continued.standardization is not None
    elif continued is not None and standardize != (continued.standardization is not None):
        continued = None  # other coordinates: neither its maps nor its rate apply
    if continued is not None and continued.standardization is not None:
        kept = continued.standardization
        if (kept.x_shift.any() and not trained["b1"]) or (kept.y_shift.any() and not trained["b2"]):
            rule = "a net trained without the biases that are disabled"
            raise ValueError(checks.wording("init", rule, "one whose standardization shifts by them"))
    if continued is not None and lr is None:
        lr = continued.lr
    if isinstance(init, Model) and negative_slope == 0:
        negative_slope = init.negative_slope

    if continued is not None and continued.standardization is not None:
        maps = continued.standardization
    elif standardize:
        maps = standardization(
            data.x, data.y, data.sample_weight, shift_inputs=trained["b1"], shift_targets=trained["b2"]
        )
    else:
        maps = identity(data.x.shape[1], data.y.shape[1])

    if isinstance(init, (str, float)):
        n_in, n_out = data.x.shape[1], data.y.shape[1]
        weights = initial_weights(init, n_in, n_hidden, n_out, hidden_bias=trained["b1"], rng=rng)
    else:
        weights = maps.unfold(init.weights if isinstance(init, Model) else init)
    if lr is None:
        lr = automatic_rate(
            maps.inputs(data.x),
            data.sample_weight,
            weights,
            negative_slope,
            hidden_bias=trained["b1"],
            output_bias=trained["b2"],
            interrupted=lambda: interrupt.requested,
        )
    return _Start(weights, maps, standardize, negative_slope, lr)


def _rates(lr: float | dict[str, float] | None, trained: dict[str, bool], dtype: np.dtype[Any]) -> Rates:
    """Return the rate of each group; a Model's mapping must name the groups trained now."""
    if lr is None:
        return Rates(0.0, 0.0, 0.0, 0.0)
    checks.learning_rate(lr, trained)
    given = lr if isinstance(lr, dict) else dict.fromkeys(trained, lr)
    if max(given.values()) > float(np.finfo(dtype).max):
        raise ValueError(checks.wording("lr", f"finite in {dtype}", f"{lr}"))
    return Rates(**{group: given[group] if is_trained else 0.0 for group, is_trained in trained.items()})


def _problem(data: checks.Samples, start: _Start, dtype: np.dtype[Any]) -> Problem:
    """Return the data in the coordinates and the dtype trained in, if both they and the model can be held in it."""
    with np.errstate(all="ignore"):
        x = start.maps.inputs(data.x).astype(dtype)
        y = start.maps.targets(data.y).astype(dtype)
        finite = all(np.isfinite(array).all() for array in (x, y, *_folded(start.maps, start.weights, dtype)))
    if not finite:
        raise ValueError(
            checks.wording("x, y and init", f"of a scale that {dtype} can hold", "an overflow", "Rescale them.")
        )
    return Problem(x, y, data.sample_weight.astype(dtype))


def _folded(maps: Standardization, weights: Weights, dtype: np.dtype[Any]) -> Weights:
    return Weights(*(array.astype(dtype) for array in maps.fold(weights)))


def _engine(algorithm: str, shape: Shape) -> type[Engine]:
    if algorithm == "reference":
        return ReferenceEngine
    if algorithm == "univariate":
        from fastmlp.univariate.engine import Univariate  # imports numba

        return Univariate
    from fastmlp.dense.engine import dense_engine

    return dense_engine(shape.n_in, shape.n_out)


def _require_memory(data: checks.Samples, n_hidden: int, epochs: int, record_every: int, algorithm: str) -> int:
    """Refuse sizes whose arrays exceed the memory, counting those that dominate in float64; return a model's bytes."""
    item = np.dtype(np.float64).itemsize
    net = item * n_hidden * (data.x.shape[1] + data.y.shape[1] + 1)
    copies = 10  # measured: dense 8.1 at two million units, univariate 9.2 at ten million
    layer = 3 * item * n_hidden * len(data.x) if algorithm == "reference" else 0
    checks.memory("hidden", f"{n_hidden}", copies * net + layer)
    checks.memory("record_every", f"{record_every}", 3 * item * (epochs // record_every))
    return int(net) + MODEL_BYTES

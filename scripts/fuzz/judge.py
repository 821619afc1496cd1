"""Run one call with the package and with the oracle, and compare the results.

The oracle trains four times: in float64 in the given order of the samples and in two random orders, and in long double.
If these results differ by more than the tolerance, the training is chaotic, and the package cannot be judged.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import oracle
from fuzz.calls import METHODS, Call, rates_by_group
from fuzz.oracle import Array, Course, Maps, Net, Training

import fastmlp
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.pattern_moments import PatternMoments
from fastmlp.engines.univariate.stretches import Stretches
from fastmlp.engines.univariate.unit_by_unit import PrefixSums
from fastmlp.training import chunks

TOLERANCE = 1e-10
TOLERANCES = {"stretches": 1e-9, "float32": 1e-4}
MANY_SPREADS = 30.0  # how many times the spread of the oracle's runs an engine may be off
MORE_ORDERS = 8  # tried before a call counts as a fault


@dataclass(frozen=True)
class Verdict:
    """What was found: "agrees", "chaotic", "refused" or "fault", with the details, and the rate that was used."""

    kind: str
    text: str = ""
    lr: Any = None
    method: str = ""


def judge(call: Call) -> Verdict:
    """Compare the package with the oracle."""
    with np.errstate(all="ignore"):
        maps = _maps(call)
        rate = _rate(call, maps)
        lr = rates_by_group(call, rate)
        try:
            model = _fit(call, lr)
        except fastmlp.DivergenceError as error:
            training = _training(call, maps, rate)
            course = oracle.train(training, np.float64)
            diverges = not course.squared_error[-1].max() < 1e100
            text = f"DivergenceError at epoch {error.epoch}; the oracle ends with {course.squared_error[-1]}"
            return Verdict("agrees" if diverges else "fault", text, lr)
        except ValueError as error:
            if "of a standard deviation of at least" in str(error):  # the offset is too large for the dtype
                return Verdict("refused", str(error), lr)
            return Verdict("fault", f"ValueError: {error}", lr)
        assert model.info is not None
        used = model.info.standardization
        if used is not None:
            # The last bit of a map decides on which side of a sample a kink lies: the oracle takes the maps that were
            # used, if they are right.
            used = Maps(used.x_shift, used.x_scale, used.y_shift, used.y_scale)
            wrong = _wrong_maps(used, maps, call)
            if wrong:
                return Verdict("fault", wrong, lr)
            maps = used
        training = _training(call, maps, rate)
        verdict = _compared(call, training, maps, model, n_orders=2)
        if verdict.kind == "fault":
            verdict = _compared(call, training, maps, model, n_orders=MORE_ORDERS)
        return replace(verdict, lr=lr, method=f"{model.info.algorithm}, {model.info.method}")


def _data(call: Call) -> tuple[Array, Array, Array]:
    """Return x (n, n_in), y (n, n_out) and weights that sum to 1 of the samples that count, in float64."""
    x = np.asarray(call.x, np.float64).reshape(len(call.x), -1)
    y = np.asarray(call.y, np.float64).reshape(len(call.y), -1)
    weight = np.ones(len(x)) if call.weight is None else call.weight
    counted = weight > 0
    return x[counted], y[counted], weight[counted] / weight[counted].sum()


def _maps(call: Call) -> Maps:
    """Return the maps to the coordinates that the call trains in."""
    x, y, weight = _data(call)
    if not call.options["standardize"]:
        return Maps(*(np.zeros(x.shape[1]), np.ones(x.shape[1]), np.zeros(y.shape[1]), np.ones(y.shape[1])))
    shift_x, shift_y = call.options["hidden_bias"], call.options["output_bias"]
    return oracle.standardization(x, y, weight, shift_x=shift_x, shift_y=shift_y)


def _wrong_maps(used: Maps, right: Maps, call: Call) -> str:
    """Return what is wrong with the maps that were used, "" if they are right to rounding."""
    x, y, _ = _data(call)
    for name, column in (("x", x), ("y", y)):
        largest = np.abs(column).max(axis=0)
        scale = getattr(right, f"{name}_scale")
        for part, size in ((f"{name}_shift", largest), (f"{name}_scale", np.maximum(scale, 1e-3 * largest))):
            error = np.abs(getattr(used, part) - getattr(right, part))
            if (error > 1e-12 * size).any():
                return f"{part} is {getattr(used, part)}, expected {getattr(right, part)}"
    return ""


def _training(call: Call, maps: Maps, rate: float) -> Training:
    """Return what to train, in the coordinates of the maps."""
    x, y, weight = _data(call)
    options = call.options
    start = call.init
    if isinstance(start, tuple):
        start = oracle.unfold(start, maps)
    else:
        bias = options["hidden_bias"]
        start = oracle.draw(start, x.shape[1], call.hidden, y.shape[1], call.seed, hidden_bias=bias)
        if options["standardize"]:  # the weights of a constant column are 0 if a bias takes its place
            start[0][oracle.constant(x) & bias] = 0
            start[2][:, oracle.constant(y) & options["output_bias"]] = 0
    dtype = np.float32 if call.x.dtype == np.float32 else np.float64
    as_given = [(x - maps.x_shift) / maps.x_scale, (y - maps.y_shift) / maps.y_scale, weight, *start]
    x, y, weight, *start = (a.astype(dtype).astype(np.float64) for a in as_given)
    return Training(
        x=x,
        y=y,
        weight=weight,
        start=tuple(start),
        rates=_rates(call, rate),
        epochs=call.epochs,
        slope=options["negative_slope"],
        optimizer=options.get("optimizer", "sgd"),
        momentum=options.get("momentum", 0.0),
        nesterov=options.get("nesterov", False),
        weight_decay=_decays(options.get("weight_decay", 0.0)),
        batches=_batches(call, len(x)),
    )


def _decays(weight_decay: Any) -> tuple[float, float, float, float]:
    """Return the weight decay of each group."""
    if isinstance(weight_decay, dict):
        w1, b1, w2, b2 = (weight_decay.get(group, 0.0) for group in oracle.GROUPS)
        return w1, b1, w2, b2
    return weight_decay, weight_decay, weight_decay, weight_decay


def _rate(call: Call, maps: Maps) -> float:
    """Return the rate that the call's factor stands for."""
    if call.options.get("optimizer") == "adam":
        return 1e-3
    what = _training(call, maps, 1.0)
    trained = (True, call.options["hidden_bias"], True, call.options["output_bias"])
    largest = oracle.largest_eigenvalue(what.x, what.weight, what.start, what.slope, trained)
    rate = call.factor / largest if 0 < largest < np.inf else 1.0
    return float(rate) if 0 < rate < 1e300 else 1.0


def _rates(call: Call, rate: float) -> tuple[float, float, float, float]:
    groups = call.groups or (1.0, 1.0, 1.0, 1.0)
    trained = (True, call.options["hidden_bias"], True, call.options["output_bias"])
    w1, b1, w2, b2 = (rate * factor * kept for factor, kept in zip(groups, trained, strict=True))
    return w1, b1, w2, b2


def _batches(call: Call, n: int) -> Any:
    """Return what gives the batches of an epoch: a seed drawn after the weights, and a permutation per epoch."""
    size = call.options.get("batch_size")
    if size is None or size >= n:
        return None
    rng = np.random.default_rng(call.seed)
    if not isinstance(call.init, tuple):
        n_in, n_out = np.atleast_2d(call.x.T).shape[0], np.atleast_2d(call.y.T).shape[0]
        rng.standard_normal((n_in, call.hidden))
        if call.options["hidden_bias"] and call.init not in ("he", "glorot"):
            rng.standard_normal(call.hidden)
        rng.standard_normal((call.hidden, n_out))
    seed = int(rng.integers(2**63))

    def batches(epoch: int) -> list[Array]:
        order = np.random.default_rng((seed, epoch)).permutation(n)
        return [order[first : first + size] for first in range(0, n, size)]

    return batches


def _fit(call: Call, lr: Any) -> fastmlp.Model:
    """Train by the package as the call says."""
    options = call.options | {
        "hidden": call.hidden,
        "epochs": call.epochs,
        "lr": lr,
        "init": call.init,
        "rng": call.seed,
        "algorithm": call.algorithm,
        "sample_weight": call.weight,
        "record_every": 1,
        "progress": False,
    }
    with _forced(call.method), _chunks(call.way), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The RMSE is")  # that the error has risen
        if call.way != "resumed":
            return fastmlp.fit(call.x, call.y, **options)
        with tempfile.TemporaryDirectory() as folder:
            options["checkpoint"] = Path(folder, "fit")
            half = call.epochs // 2
            first = fastmlp.fit(call.x, call.y, **options, callback=lambda info: info.epoch >= half)
            del first
            return fastmlp.fit(call.x, call.y, **options, resume=True)


@contextmanager
def _forced(method: str | None) -> Iterator[None]:
    """Let nets of one input be trained by one method."""
    if method is None:
        yield
        return
    kinds = dict(zip(METHODS, (PrefixSums, PatternMoments, Stretches), strict=True))
    kept = choice.first_method, choice.next_method
    choice.first_method = lambda shape: kinds[method]
    choice.next_method = lambda previous, shape: kinds[method]
    try:
        yield
    finally:
        choice.first_method, choice.next_method = kept


@contextmanager
def _chunks(way: str) -> Iterator[None]:
    """Let the loop hand over to the caller after every epoch or so."""
    kept = chunks.CHUNK_SECONDS
    if way != "whole":
        chunks.CHUNK_SECONDS = 0.0
    try:
        yield
    finally:
        chunks.CHUNK_SECONDS = kept


def _compared(call: Call, training: Training, maps: Maps, model: fastmlp.Model, *, n_orders: int) -> Verdict:
    """Compare the model with the oracle's runs, summed in n_orders random orders."""
    assert model.history is not None
    assert model.info is not None
    is_narrow = call.x.dtype == np.float32 and model.info.algorithm != "univariate"
    dtype = np.float32 if is_narrow else np.float64
    runs = [oracle.train(training, dtype)]
    runs += [oracle.train(training, dtype, np.random.default_rng(order)) for order in range(n_orders)]
    best = oracle.train(training, np.longdouble)
    tolerance = TOLERANCES["float32"] if call.x.dtype == np.float32 else TOLERANCES.get(call.method or "", TOLERANCE)
    if "stretches" in model.info.method:
        tolerance = max(tolerance, TOLERANCES["stretches"])
    got = _quantities_of_model(model)
    expected = _quantities(best, maps)
    others = [_quantities(run, maps) for run in runs]
    sizes = _sizes(best.net, maps) | {"rmse": float(expected["rmse"].max())}
    if model.info.algorithm == "univariate":  # it trains b + c w, c the centre of x: see the design of the engine
        centre = np.abs(training.x.mean() * maps.x_scale + maps.x_shift).max()
        sizes["b1"] = max(sizes["b1"], float(centre * sizes["w1"]))
    is_chaotic = False
    for name, size in sizes.items():
        if any(other[name].shape != expected[name].shape for other in others):
            return Verdict("chaotic")
        spread = max(float(np.abs(other[name] - expected[name]).max(initial=0.0)) for other in others)
        if not spread <= tolerance * size:
            is_chaotic = True
    if is_chaotic:
        return Verdict("chaotic")
    for name, size in sizes.items():
        if got[name].shape != expected[name].shape:
            return Verdict("fault", f"{name} has shape {got[name].shape}, expected {expected[name].shape}")
        spread = max(float(np.abs(other[name] - expected[name]).max(initial=0.0)) for other in others)
        error = float(np.abs(got[name] - expected[name]).max(initial=0.0))
        if not error <= tolerance * size + MANY_SPREADS * spread:
            text = f"{name} is off by {error / size:.1e} of its largest entry; orders of summation differ by"
            return Verdict("fault", f"{text} {spread / size:.1e}")
    counted = model.history.crossings
    same = all(np.array_equal(run.crossings, best.crossings) for run in runs)
    if counted is not None and same and not is_narrow:
        wrong = np.abs(counted - best.crossings) > 2 * best.undecided
        if wrong.any():
            first = int(np.argmax(wrong))
            text = f"{counted[first]} crossings counted after epoch {first}, {best.crossings[first]} by the oracle"
            return Verdict("fault", text)
    return Verdict("agrees")


def _quantities(course: Course, maps: Maps) -> dict[str, Array]:
    """Return weights that act on the data and the RMSE after each epoch."""
    named = dict(zip(oracle.GROUPS, oracle.fold(course.net, maps), strict=True))
    error = course.squared_error * maps.y_scale.astype(np.longdouble) ** 2
    return named | {"rmse": np.sqrt(error.mean(axis=1))}


def _quantities_of_model(model: fastmlp.Model) -> dict[str, Array]:
    named = {name: getattr(model, name).astype(np.longdouble) for name in oracle.GROUPS}
    return named | {"rmse": model.history.rmse.astype(np.longdouble)}


def _sizes(net: Net, maps: Maps) -> dict[str, float]:
    """Return the largest entry of each array of weights, before what folding cancels."""
    w1, b1, w2, b2 = oracle.fold(net, maps)
    b1_size = np.abs(net[1]).max() + (np.abs(maps.x_shift) @ np.abs(w1)).max()
    b2_size = np.abs(net[3] * maps.y_scale).max() + np.abs(maps.y_shift).max()
    sizes = (np.abs(w1).max(), max(b1_size, np.abs(b1).max()), np.abs(w2).max(), max(b2_size, np.abs(b2).max()))
    return {name: float(size) or 1.0 for name, size in zip(oracle.GROUPS, sizes, strict=True)}

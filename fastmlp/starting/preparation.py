"""From a checked call to an engine: the coordinates, the start and its rate, the settings, the problem, the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.engines.engine import Array, Engine, Problem, Rates, Settings, Shape, Weights
from fastmlp.engines.reference import ReferenceEngine
from fastmlp.models.model import Model
from fastmlp.starting.config import FitConfig, Rate
from fastmlp.starting.scaling import Standardization, identity, standardization
from fastmlp.starting.starting import automatic_rate, automatic_rates, has_few_samples, initial_weights

ADAM_RATE = 1e-3  # of lr="auto"


@dataclass(frozen=True)
class Coordinates:
    """What training starts in: the maps of the data, the slope, and the rate if given or taken over."""

    maps: Standardization
    standardized: bool
    negative_slope: float
    lr: Rate | None


@dataclass(frozen=True)
class Start:
    """Where training starts: the weights, and the rate, in the coordinates of the maps.

    lr is None where Ctrl-C came before it was found; no epoch is trained then. The seed is that of mini-batches.
    """

    weights: Weights
    maps: Standardization
    standardized: bool
    negative_slope: float
    lr: Rate | None
    seed: int


def coordinates_of(call: FitConfig) -> Coordinates:
    """Return the coordinates that a call trains in, those of the net that it goes on from where it does."""
    data, init, trained, lr = call.data, call.init, call.trained, call.lr
    continued = init.info if isinstance(init, Model) else None
    standardize = call.standardize
    if standardize is None:
        standardize = init == "balanced" and lr is None if continued is None else continued.standardization is not None
    elif continued is not None and standardize != (continued.standardization is not None):
        continued = None  # other coordinates: neither its maps nor its rate apply
    if continued is not None and continued.standardization is not None:
        kept = continued.standardization
        if (kept.x_shift.any() and not trained["b1"]) or (kept.y_shift.any() and not trained["b2"]):
            rule = "a net trained without the biases that are disabled"
            raise ValueError(checks.wording("init", rule, "one whose standardization shifts by them"))
    if continued is not None and lr is None and continued.optimizer == call.optimizer:
        lr = continued.lr
    negative_slope = call.negative_slope
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
    if lr is None and call.optimizer == "adam":
        lr = ADAM_RATE
    return Coordinates(maps, standardize, negative_slope, lr)


def weights_of(call: FitConfig, within: Coordinates, rng: np.random.Generator) -> Weights:
    """Draw or take over the initial weights."""
    init = call.init
    if isinstance(init, (str, float)):
        n_in, n_out = call.data.x.shape[1], call.data.y.shape[1]
        return initial_weights(init, n_in, call.n_hidden, n_out, hidden_bias=call.trained["b1"], rng=rng)
    return within.maps.unfold(init.weights if isinstance(init, Model) else init)


def start_of(call: FitConfig, within: Coordinates, rng: np.random.Generator, interrupted: Callable[[], bool]) -> Start:
    """Draw or take over the initial weights; find the rate if not given."""
    weights = weights_of(call, within, rng)
    lr = _automatic_rate(call, within, weights, interrupted) if within.lr is None else within.lr
    # Drawn after the weights, which therefore do not depend on it, and only where it is needed.
    seed = 0 if call.batch_size is None else int(rng.integers(2**63))
    return Start(weights, within.maps, within.standardized, within.negative_slope, lr, seed)


def starts_of(call: FitConfig, within: Coordinates, rngs: Sequence[np.random.Generator]) -> list[Start]:
    """Do what `start_of` does for many nets, and find the rates of all at once where they have few samples."""
    x = within.maps.inputs(call.data.x)
    if within.lr is not None or not has_few_samples(x, call.n_hidden, call.data.y.shape[1]):
        return [start_of(call, within, rng, lambda: False) for rng in rngs]
    weights = [weights_of(call, within, rng) for rng in rngs]
    rates = automatic_rates(
        x,
        call.data.sample_weight,
        Weights(*(np.stack(arrays) for arrays in zip(*weights, strict=True))),
        within.negative_slope,
        hidden_bias=call.trained["b1"],
        output_bias=call.trained["b2"],
    )
    coordinates = within.maps, within.standardized, within.negative_slope
    return [
        Start(each, *coordinates, float(rate) if rate > 0 else _automatic_rate(call, within, each, lambda: False), 0)
        for each, rate in zip(weights, rates, strict=True)
    ]


def _automatic_rate(
    call: FitConfig, within: Coordinates, weights: Weights, interrupted: Callable[[], bool]
) -> float | None:
    return automatic_rate(
        within.maps.inputs(call.data.x),
        call.data.sample_weight,
        weights,
        within.negative_slope,
        hidden_bias=call.trained["b1"],
        output_bias=call.trained["b2"],
        interrupted=interrupted,
    )


def settings_of(call: FitConfig, start: Start, shape: Shape) -> Settings:
    """Return how the engine is to train."""
    return Settings(
        rates=rates_of(start.lr, call.trained, call.dtype),
        negative_slope=start.negative_slope,
        optimizer=call.optimizer,
        momentum=call.momentum,
        nesterov=call.nesterov,
        weight_decay=call.weight_decay,
        schedule=start.lr if callable(start.lr) else None,
        batch_size=call.batch_size,
        seed=start.seed,
        **_threads(call, shape),
    )


def _threads(call: FitConfig, shape: Shape) -> dict[str, int]:
    """Return how many threads the engine may use, and parts: the same bits come in the main thread and elsewhere."""
    if call.algorithm != "dense":
        return {"threads": 1}
    if call.threads is not None:
        return {"threads": call.threads}
    from fastmlp.compiled.threads import may_use_all_cores, usable_cores
    from fastmlp.engines.dense.engine import worthwhile_threads  # imports numba

    parts = worthwhile_threads(shape, call.batch_size, usable_cores())
    return {"threads": parts if may_use_all_cores() else 1, "parts": parts}


def rates_of(lr: Rate | None, trained: Mapping[str, bool], dtype: np.dtype[Any]) -> Rates:
    """Return the rate of each group; a Model's mapping must name the groups trained now."""
    if lr is None:
        return Rates(0.0, 0.0, 0.0, 0.0)
    if callable(lr):
        return Rates(**{group: float(is_trained) for group, is_trained in trained.items()})
    checks.learning_rate(lr, trained)
    given = lr if isinstance(lr, dict) else dict.fromkeys(trained, lr)
    if max(given.values()) > float(np.finfo(dtype).max):
        raise ValueError(checks.wording("lr", f"finite in {dtype}", f"{lr}"))
    return Rates(**{group: given[group] if is_trained else 0.0 for group, is_trained in trained.items()})


def problem_of(call: FitConfig, start: Start) -> Problem:
    """Return the data in the coordinates and the dtype trained in, if both they and the model can be held in it."""
    data, dtype = call.data, call.dtype
    with np.errstate(all="ignore"):
        x = start.maps.inputs(data.x).astype(dtype)
        y = start.maps.targets(data.y).astype(dtype)
        finite = all(np.isfinite(array).all() for array in (x, y, *folded(start.maps, start.weights, dtype)))
    if not finite:
        raise ValueError(
            checks.wording("x, y and init", f"of a scale that {dtype} can hold", "an overflow", "Rescale them.")
        )
    return Problem(x, y, data.sample_weight.astype(dtype))


def shape_of(x: Array, n_hidden: int, n_out: int) -> Shape:
    """Return the sizes of a fit to the x of a problem; samples of one input count once for each distinct value."""
    n_samples, n_in = x.shape
    return Shape(np.unique(x).size if n_in == 1 else n_samples, n_in, n_hidden, n_out)


def folded(maps: Standardization, weights: Weights, dtype: np.dtype[Any]) -> Weights:
    """Return the weights that act on the data, in a dtype."""
    return Weights(*(array.astype(dtype) for array in maps.fold(weights)))


def engine_of(algorithm: str, shape: Shape, batch_size: int | None) -> type[Engine]:
    """Return the engine of an algorithm; Numba is imported only where it is needed."""
    if algorithm == "reference":
        return ReferenceEngine
    if algorithm == "univariate":
        from fastmlp.engines.univariate.engine import Univariate  # imports numba

        return Univariate
    from fastmlp.engines.dense.engine import dense_engine

    return dense_engine(shape.n_in, shape.n_out, batch_size)

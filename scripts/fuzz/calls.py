"""Random valid calls of `fastmlp.fit`, on numerically difficult data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from fuzz.oracle import GROUPS, Array, Net

METHODS = ("prefix sums", "pattern moments", "stretches")
MOST_MAPPED = 4  # outputs of pattern moments
MOST_WORK = 1_000_000  # of the oracle: samples times units times epochs
Generator = np.random.Generator


@dataclass(frozen=True)
class Call:
    """One call: the data, the start, the options, and how the training is run.

    factor is the learning rate times the largest eigenvalue at the start. method forces a method of one input. way is
    "whole", "chunked" (an epoch at a time) or "resumed" (from a checkpoint).
    """

    x: Array
    y: Array
    weight: Array | None
    init: str | float | Net
    hidden: int
    epochs: int
    factor: float
    groups: tuple[float, float, float, float] | None  # factors of the rates of w1, b1, w2, b2
    seed: int
    algorithm: str
    method: str | None
    way: str
    options: dict[str, Any] = field(default_factory=dict)

    def with_options(self, **options: Any) -> Call:
        """Return the call with some options replaced."""
        return replace(self, options=self.options | options)


def random_call(seed: int) -> Call:
    """Return the call of a seed."""
    rng = np.random.default_rng(seed)
    n_in = int(rng.choice([1, 1, 1, 1, 1, 1, 2, 3, 8, 9, 17]))
    n_out = int(rng.choice([1, 1, 1, 2, 3, 5]))
    n, hidden, epochs = _sizes(rng, n_in * n_out)
    x = _inputs(rng, n, n_in)
    y = _targets(rng, x, n_out)
    standardize = bool(rng.random() < 0.4)
    hidden_bias, output_bias = (bool(rng.random() < 0.85) for _ in range(2))
    options: dict[str, Any] = {
        "standardize": standardize,
        "hidden_bias": hidden_bias,
        "output_bias": output_bias,
        "negative_slope": float(rng.choice([0, 0, 0, 0.1, 0.5, 1, 1.5, -0.5])),
    }
    options |= _optimizer(rng)
    init: Any = (
        str(rng.choice(["balanced", "he", "glorot"])) if rng.random() < 0.4 else float(rng.choice([0.1, 0.3, 2]))
    )
    if rng.random() < 0.5:
        init = _start(rng, x, hidden, n_out, hidden_bias=hidden_bias, output_bias=output_bias)
    algorithm, method, way = _engine(rng, n, (n_in, n_out), options)
    if rng.random() < 0.15:
        x, y = x.astype(np.float32), y.astype(np.float32)
    groups = None
    if rng.random() < 0.2:
        groups = tuple(float(rate) for rate in rng.choice([0.0, 0.3, 1.0], 4))
        groups = groups if max(groups[0], groups[2]) else None
    factor = float(rng.choice([0.01, 0.3, 1.0, 1.0, 1.9]))
    return Call(
        x=x if n_in > 1 or rng.random() < 0.2 else x[:, 0],
        y=y if n_out > 1 else y[:, 0],
        weight=_weights(rng, n) if rng.random() < 0.35 else None,
        init=init,
        hidden=hidden,
        epochs=epochs,
        factor=factor * (1 - options.get("momentum", 0.0)),
        groups=groups,
        seed=int(rng.integers(2**31)),
        algorithm=algorithm,
        method=method,
        way=way,
        options=options,
    )


def _sizes(rng: Generator, width: int) -> tuple[int, int, int]:
    """Return numbers of samples, units and epochs that the oracle can train in a short time."""
    kind = rng.random()
    if kind < 0.04:
        n, hidden = int(10 ** rng.uniform(4, 5)), int(rng.integers(1, 12))
    elif kind < 0.08:
        n, hidden = int(rng.integers(1, 12)), int(10 ** rng.uniform(3.5, 4.3))
    elif kind < 0.3:
        n, hidden = int(rng.integers(201, 1500)), int(10 ** rng.uniform(0, 2))
    else:
        n, hidden = int(10 ** rng.uniform(0, 2.5)), int(10 ** rng.uniform(0, 2.5))
    longest = MOST_WORK // (n * hidden * width)
    return n, hidden, int(np.clip(10 ** rng.uniform(0, 3), 1, max(longest, 2)))


def _inputs(rng: Generator, n: int, n_in: int) -> Array:
    kind = rng.integers(7)
    if kind == 0:
        x = rng.integers(-8, 9, (n, n_in)) / 8  # ties, and sums that are exact
    elif kind == 6:
        x = rng.choice([-1.0, 1.0], (n, n_in))
    elif kind == 1:
        x = np.linspace(-1, 1, n)[:, None] * np.ones(n_in)
        x[:, 1:] = rng.normal(size=(n, n_in - 1))
    elif kind == 2:
        x = rng.standard_cauchy((n, n_in))
    elif kind == 3:
        x = np.round(rng.normal(size=(n, n_in)), 1)
    else:
        x = rng.normal(size=(n, n_in))
    if rng.random() < 0.05:
        x[rng.integers(n)] = 10.0 ** rng.integers(3, 10)  # an outlier
    if rng.random() < 0.25:
        x = x * 10.0 ** rng.integers(-6, 7)
    if rng.random() < 0.2:
        x = x + np.abs(x).max() * 10.0 ** rng.integers(0, 5)
    if rng.random() < 0.03:
        x[:] = x[0]
    return np.ascontiguousarray(x)


def _targets(rng: Generator, x: Array, n_out: int) -> Array:
    scale = np.abs(x - x.mean(axis=0)).max() or 1.0
    t = (x - x.mean(axis=0)) / scale @ rng.normal(size=(x.shape[1], n_out))
    kind = rng.integers(5)
    if kind == 0:
        y = np.sin(3 * t)
    elif kind == 1:
        y = np.sign(t)
    elif kind == 2:
        y = rng.normal(size=t.shape)
    elif kind == 3:
        y = 1 + 0.1 * np.sin(3 * t)
    else:
        y = np.abs(t) + 0.1 * rng.normal(size=t.shape)
    if rng.random() < 0.25:
        y = y * 10.0 ** rng.integers(-4, 5)
    if rng.random() < 0.2:
        y = y + np.abs(y).max() * 10.0 ** rng.integers(0, 4)
    if rng.random() < 0.03:
        y[:] = y[0]
    return np.ascontiguousarray(y)


def _weights(rng: Generator, n: int) -> Array:
    weight = rng.uniform(0.2, 2, n)
    if rng.random() < 0.5:
        weight[rng.integers(n)] = 10.0 ** rng.integers(-12, 4)
    if rng.random() < 0.3:
        weight[rng.random(n) < 0.2] = 0
        weight[rng.integers(n)] = 1
    return weight


def _start(rng: Generator, x: Array, hidden: int, n_out: int, *, hidden_bias: bool, output_bias: bool) -> Net:
    """Return initial weights with kinks on samples, equal units, and units that are active on no or all samples."""
    n, n_in = x.shape
    std = 10.0 ** rng.uniform(-2, 1)
    w1 = std * rng.normal(size=(n_in, hidden))
    w2 = std * rng.normal(size=(hidden, n_out))
    b1 = std * rng.normal(size=hidden)
    if n_in == 1 and rng.random() < 0.5:  # of more inputs no engine promises anything within rounding of a kink
        w1 = rng.choice([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], (n_in, hidden))
        b1 = -(x[rng.integers(n, size=hidden)] * w1.T).sum(axis=1)  # exact where x is a multiple of 1/8
    if rng.random() < 0.3:
        far = rng.random(hidden) < 0.3
        b1[far] = rng.choice([-1.0, 1.0], far.sum()) * 10 * np.abs(x @ w1).max(initial=1.0)
    if rng.random() < 0.2:
        w1[:, rng.random(hidden) < 0.2] = 0
    if rng.random() < 0.2:
        w2[rng.random(hidden) < 0.2] = 0
    if rng.random() < 0.3:
        equal = rng.integers(hidden, size=hidden)
        w1, b1, w2 = w1[:, equal], b1[equal], w2[equal]
    return w1, b1 * hidden_bias, w2, rng.normal(size=n_out) * output_bias


def _optimizer(rng: Generator) -> dict[str, Any]:
    kind = rng.random()
    options: dict[str, Any] = {}
    if kind < 0.06:
        options = {"optimizer": "adam"}
    elif kind < 0.15:
        options = {"momentum": float(rng.choice([0.5, 0.9])), "nesterov": bool(rng.random() < 0.5)}
    if rng.random() < 0.12:
        decay = float(10 ** rng.uniform(-5, -1))
        factors = rng.choice([0.0, 0.1, 1.0], 4)
        by_group = {group: decay * float(factor) for group, factor in zip(GROUPS, factors, strict=True) if factor}
        options["weight_decay"] = by_group if rng.random() < 0.5 else decay
    return options


def _engine(rng: Generator, n: int, width: tuple[int, int], options: dict[str, Any]) -> tuple[str, str | None, str]:
    """Choose the engine, a forced method of one input, and how to run it; may add batches and threads."""
    algorithm, method = str(rng.choice(["auto", "dense", "reference"], p=[0.75, 0.2, 0.05])), None
    n_in, n_out = width
    if n_in == 1 and algorithm == "auto" and rng.random() < 0.85:
        method = str(rng.choice(METHODS if n_out <= MOST_MAPPED else ("prefix sums", "stretches")))
    if rng.random() < 0.1 and n > 1:
        options["batch_size"] = int(rng.integers(1, n + 1))
        algorithm, method = ("dense" if algorithm == "auto" else algorithm), None
    if algorithm == "dense" and rng.random() < 0.4:
        options["threads"] = int(rng.integers(1, 4))
    return algorithm, method, str(rng.choice(["whole", "chunked", "resumed"], p=[0.7, 0.15, 0.15]))


def smaller(call: Call) -> list[Call]:
    """Return simpler calls, the simplest first."""
    simpler = [
        replace(call, epochs=epochs) for epochs in {1, call.epochs // 2, call.epochs - 1} if 0 < epochs < call.epochs
    ]
    n = len(call.x)
    for kept in (slice(0, n // 2), slice(n // 2, n), slice(1, n), slice(0, n - 1)):
        if 0 < len(range(n)[kept]) < n:
            weight = None if call.weight is None else call.weight[kept]
            if weight is None or weight.any():
                simpler.append(replace(call, x=call.x[kept], y=call.y[kept], weight=weight))
    if isinstance(call.init, tuple):
        w1, b1, w2, b2 = call.init
        for units in (slice(0, b1.size // 2), slice(b1.size // 2, b1.size), slice(1, b1.size), slice(0, b1.size - 1)):
            if 0 < b1[units].size < b1.size:
                simpler.append(replace(call, init=(w1[:, units], b1[units], w2[units], b2)))
    defaults = {"negative_slope": 0.0, "hidden_bias": True, "output_bias": True, "standardize": False}
    for name, value in call.options.items():
        if name in defaults and value != defaults[name]:
            simpler.append(call.with_options(**{name: defaults[name]}))
        elif name not in defaults:
            dropped = {"momentum", "nesterov"} if name == "momentum" else {name}
            simpler.append(replace(call, options={k: v for k, v in call.options.items() if k not in dropped}))
    simpler += [replace(call, weight=None)] * (call.weight is not None)
    simpler += [replace(call, way="whole")] * (call.way != "whole")
    simpler += [replace(call, groups=None)] * (call.groups is not None)
    return simpler


def as_code(call: Call, lr: Any) -> str:
    """Return the call as Python code."""

    def text(array: Any) -> str:
        name = "np.float32" if getattr(array, "dtype", None) == np.float32 else "float"
        return f"np.array({np.asarray(array).tolist()!r}, {name})"

    start = call.init
    init = "(" + ", ".join(text(array) for array in start) + ")" if isinstance(start, tuple) else repr(start)
    options = "".join(f", {name}={value!r}" for name, value in call.options.items())
    weight = "" if call.weight is None else f", sample_weight={text(call.weight)}"
    lines = [
        "import fastmlp, numpy as np",
        f"# engine: {call.algorithm}, method: {call.method or 'as chosen'}, run: {call.way}",
        f"fastmlp.fit({text(call.x)}, {text(call.y)}, hidden={call.hidden}, epochs={call.epochs}, rng={call.seed},",
        f"    lr={lr!r}, init={init}, algorithm={call.algorithm!r}{weight}{options})",
    ]
    return "\n".join(lines)


def rates_by_group(call: Call, rate: float) -> float | dict[str, float]:
    """Return the learning rates of the call by group."""
    if call.groups is None:
        return rate
    return {name: rate * factor for name, factor in zip(GROUPS, call.groups, strict=True)}

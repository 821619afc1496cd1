"""The problems of `accuracy.py`: samples, a net for them, and fresh samples of the function without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.rivals import FloatArray

FINE = 10_007  # points between the samples of one input
SURFACE = 101  # along each of two inputs
FRESH = 5000  # samples of many inputs

Function = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples x (n, n_in), y (n, n_out) for a net of `hidden` units, and fresh ones without noise."""

    name: str
    text: str
    x: FloatArray
    y: FloatArray
    fresh_x: FloatArray
    fresh_y: FloatArray
    hidden: int
    has_noise: bool = False

    @property
    def is_curve(self) -> bool:
        """Whether there is one input and one output."""
        return self.x.shape[1] == self.y.shape[1] == 1


def curve(name: str, text: str, function: Function, n_samples: int, hidden: int, noise: float = 0.0) -> Problem:
    """Return equally spaced samples of [-pi, pi] of a function with one or more outputs."""
    x, fine = (np.linspace(-np.pi, np.pi, n)[:, None] for n in (n_samples, FINE))
    y = function(x) + noise * np.random.default_rng(0).normal(size=function(x).shape)
    return Problem(name, text, x, y, fine, function(fine), hidden, noise > 0)


def mixed(x: FloatArray) -> FloatArray:
    """Return sin 3x + |x| / 2, which has a corner."""
    return np.sin(3 * x) + np.abs(x) / 2


def peaks_surface(x: FloatArray) -> FloatArray:
    """Return the surface "peaks" of MATLAB, at x (n, 2)."""
    a, b = x[:, :1], x[:, 1:]
    hill = 3 * (1 - a) ** 2 * np.exp(-(a**2) - (b + 1) ** 2)
    return hill - 10 * (a / 5 - a**3 - b**5) * np.exp(-(a**2) - b**2) - np.exp(-((a + 1) ** 2) - b**2) / 3


def friedman_function(x: FloatArray) -> FloatArray:
    """Return Friedman's first function, of five of the inputs x (n, 10)."""
    waves = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    return (waves + 10 * x[:, 3] + 5 * x[:, 4])[:, None]


def peaks() -> Problem:
    """Return 2,000 random samples of [-3, 3]^2."""
    x = np.random.default_rng(0).uniform(-3, 3, (2000, 2))
    axis = np.linspace(-3, 3, SURFACE)
    fine = np.stack([one.ravel() for one in np.meshgrid(axis, axis)], axis=1)
    return Problem("peaks", "MATLAB's peaks", x, peaks_surface(x), fine, peaks_surface(fine), 100)


def friedman(name: str, text: str, noise: float) -> Problem:
    """Return 500 random samples of [0, 1]^10."""
    rng = np.random.default_rng(0)
    x, fresh = rng.uniform(size=(500, 10)), rng.uniform(size=(FRESH, 10))
    y = friedman_function(x) + noise * rng.normal(size=(500, 1))
    return Problem(name, text, x, y, fresh, friedman_function(fresh), 100, noise > 0)


def all_problems() -> list[Problem]:
    """Return the problems: without noise, with noise, and with three outputs."""
    return [
        curve("sin, 1000 units", "sin x", np.sin, 100, 1000),
        curve("sin, 30 units", "sin x", np.sin, 100, 30),
        curve("corner, 200 samples", "sin 3x + abs(x)/2", mixed, 200, 100),
        curve("corner, 10000 samples", "sin 3x + abs(x)/2", mixed, 10_000, 200),
        curve("step", "x > 0", lambda x: (x > 0).astype(float), 100, 30),
        curve("root", "sqrt(abs(x))", lambda x: np.sqrt(np.abs(x)), 200, 30),
        curve("wave", "sin 20x", lambda x: np.sin(20 * x), 200, 60),
        peaks(),
        friedman("friedman1", "Friedman's first function", 0.0),
        curve("noisy sin", "sin x + 0.1 N(0, 1)", np.sin, 100, 30, noise=0.1),
        friedman("noisy friedman1", "Friedman's first function + N(0, 1)", 1.0),
        curve(
            "three outputs",
            "sin x, cos 2x, abs(x)",
            lambda x: np.hstack([np.sin(x), np.cos(2 * x), np.abs(x)]),
            200,
            100,
        ),
    ]

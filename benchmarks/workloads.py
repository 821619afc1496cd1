"""The sizes, data and initial weights of the airspeed velocity suite, all seeded.

Workloads may be added but not changed, so that results of different commits stay comparable. If an old commit lacks a
feature that a benchmark needs, `setup` raises NotImplementedError, and asv skips the benchmark for that commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Workload:
    """The sizes of a net and its data, and a number of epochs that takes 10 to 100 ms."""

    n_in: int
    n_hidden: int
    n_samples: int
    epochs: int
    n_out: int = 1

    @property
    def multiply_adds(self) -> int:
        """Number of multiply-adds of an epoch in the forward pass and the gradients."""
        return self.n_samples * self.n_hidden * (2 * self.n_in + 3 * self.n_out)


WORKLOADS = {
    "report": Workload(1, 1000, 100, 16_000),
    "wide": Workload(1, 100_000, 100, 1000),
    "many samples": Workload(1, 1000, 20_000, 500),
    "2 inputs": Workload(2, 64, 256, 5000),
    "8 inputs": Workload(8, 256, 1000, 50),
    "32 inputs": Workload(32, 512, 2000, 5),
    "10 outputs": Workload(8, 256, 1000, 20, n_out=10),
}
ONE_INPUT = tuple(name for name, workload in WORKLOADS.items() if workload.n_in == 1)
SEVERAL_INPUTS = tuple(name for name in WORKLOADS if name not in ONE_INPUT)


class Training:
    """The data and initial weights of a workload, and a learning rate at which its training is stable."""

    def __init__(self, name: str, dtype: str) -> None:
        self.workload = WORKLOADS[name]
        n_in, n_hidden, n_out = self.workload.n_in, self.workload.n_hidden, self.workload.n_out
        rng = np.random.default_rng(0)
        if n_in == 1:
            x = np.linspace(-np.pi, np.pi, self.workload.n_samples)[:, None]
            y = np.sin(x)
            std, self.lr = min(0.3, n_hidden**-0.25), min(1e-5, 1e-2 / n_hidden)
            w1, b1, w2 = std * rng.standard_normal((3, n_hidden))
            weights = (w1[None], b1, w2[:, None])
        else:
            x, y = rng.normal(size=(self.workload.n_samples, n_in)), rng.normal(size=(self.workload.n_samples, n_out))
            weights = (
                rng.normal(size=(n_in, n_hidden)) / np.sqrt(n_in),
                rng.normal(size=n_hidden),
                rng.normal(size=(n_hidden, n_out)) / np.sqrt(n_hidden),
            )
            self.lr = 1e-4
        self.x, self.y, *weights = (array.astype(dtype) for array in (x, y, *weights))
        self.w1, self.b1, self.w2 = weights

    def fit(self, epochs: int, algorithm: str = "auto") -> fastmlp.Model:
        """Train without an output bias, like the loop of the report."""
        return fastmlp.fit(
            self.x,
            self.y,
            init=(self.w1, self.b1, self.w2, np.zeros(self.workload.n_out, self.x.dtype)),
            lr=self.lr,
            epochs=epochs,
            algorithm=algorithm,
            output_bias=False,
            progress=False,
        )


class OverWorkloads:
    """A benchmark of every workload in both dtypes; `setup` compiles the kernels."""

    params: Any = (list(WORKLOADS), list(DTYPES))
    param_names = ("workload", "dtype")
    timeout = 300

    def setup(self, name: str, dtype: str) -> None:
        """Create the data; compile the kernels, or load them from the cache of the commit."""
        self.training = Training(name, dtype)
        self.training.fit(1)

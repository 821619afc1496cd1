"""Benchmarks of `fit`: with its defaults on every workload, and with each engine on the data of the report."""

import numpy as np

import fastmlp
from benchmarks.workloads import OverWorkloads, Training


class Fit(OverWorkloads):
    """Fits with the engine that `fit` chooses by default."""

    number = 1
    repeat = (3, 8, 0.5)

    def time_fit(self, name, dtype):
        """Train the epochs of the workload."""
        self.training.fit(self.training.workload.epochs)

    time_fit.pretty_name = "fit, by workload"


class Engines:
    """The run of the report with each engine, for a hundredth of its epochs."""

    params = (["univariate", "dense", "reference"],)
    param_names = ("algorithm",)
    number = 1
    repeat = (3, 8, 0.5)

    def setup(self, algorithm):
        """Compile the kernels; skip engines that the commit does not have."""
        self.training = Training("report", "float64")
        try:
            self.training.fit(1, algorithm)
        except (ValueError, NotImplementedError) as error:
            raise NotImplementedError from error

    def time_engine(self, algorithm):
        """Train 320 epochs."""
        self.training.fit(320, algorithm)

    time_engine.pretty_name = "algorithms, on the report's data"


class Defaults:
    """A fit with all options at their defaults; standardisation and the automatic rate are included."""

    number = 1
    repeat = (3, 8, 0.5)

    def setup(self):
        """Make a sine; compile."""
        self.x = np.linspace(-np.pi, np.pi, 100)
        fastmlp.fit(self.x, np.sin(self.x), epochs=1, rng=0, progress=False)

    def time_defaults(self):
        """Train 1000 units for 32,000 epochs."""
        fastmlp.fit(self.x, np.sin(self.x), rng=0, progress=False)

    time_defaults.pretty_name = "fit with nothing given but data"

"""Benchmarks of the compiled kernels alone, without `fit`, after a thousand epochs."""

import numpy as np

from benchmarks.layout import import_former_modules
from benchmarks.workloads import DTYPES, SEVERAL_INPUTS, Training

# Not in `setup`: asv drops the results of a benchmark when the source of its functions changes.
import_former_modules()


class Univariate:
    """Each method of the univariate engine, at sizes at which the engine chooses it and at other sizes."""

    params = (["prefix sums", "pattern moments", "stretches"], [100, 100_000], [1000])
    param_names = ("method", "samples", "hidden")
    number = rounds = 1
    repeat = (3, 8, 0.5)
    timeout = 300

    def setup(self, method, n_samples, n_hidden):
        """Train until the time per epoch is steady."""
        try:
            from benchmarks.univariate_methods import EngineRun, Start
        except ImportError as error:
            raise NotImplementedError from error
        start = Start(np.linspace(-np.pi, np.pi, n_samples), n_hidden, 0.1)
        self.run = EngineRun(method, start, start.weights)
        self.run.train(1000 if method != "prefix sums" or n_samples == 100 else 100)

    def time_epochs(self, method, n_samples, n_hidden):
        """Train 100 epochs."""
        self.run.train(100)

    time_epochs.pretty_name = "methods of the univariate engine"


class Dense:
    """The dense kernels."""

    # What asv computed when only the paths of the imports in `setup` differed, so that older results count on.
    version = "e6c861e80d96aed6472892a8e37ef49c004bb4b0c2b5c3ddad30c87e92d51470"
    params = (list(SEVERAL_INPUTS), list(DTYPES))
    param_names = ("workload", "dtype")
    number = rounds = 1
    repeat = (3, 8, 0.5)

    def setup(self, name, dtype):
        """Create the engine and compile its kernel."""
        training = Training(name, dtype)
        try:
            from fastmlp.engines.dense.choice import dense_engine
            from fastmlp.engines.engine import Problem, Rates, Record, Settings, Weights

            self.record = Record.empty(training.workload.epochs, training.workload.n_out)
        except (ImportError, AttributeError) as error:
            raise NotImplementedError from error
        problem = Problem(training.x, training.y, np.full(len(training.x), 1 / len(training.x), dtype))
        weights = Weights(training.w1, training.b1, training.w2, np.zeros(training.workload.n_out, dtype))
        engine_type = dense_engine(training.workload.n_in, training.workload.n_out)
        self.engine = engine_type(problem, weights, Settings(Rates(*(training.lr,) * 4)))

    def time_epochs(self, name, dtype):
        """Train the epochs of the workload."""
        self.engine.advance(len(self.record.squared_error) - 1, self.record)

    time_epochs.pretty_name = "dense kernels"

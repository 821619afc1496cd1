"""Predictions and gradients of a trained model, which are computed with NumPy."""

import numpy as np

from benchmarks.workloads import DTYPES, Training


class Predict:
    """Predictions and gradients at many points."""

    params = (["report", "8 inputs", "10 outputs"], list(DTYPES))
    param_names = ("workload", "dtype")
    rounds = 1

    def setup(self, name, dtype):
        """Train a model for a few epochs, and draw 10,000 points."""
        training = Training(name, dtype)
        self.model = training.fit(1)
        self.x, self.y = training.x, training.y
        self.points = np.random.default_rng(1).normal(size=(10_000, training.workload.n_in)).astype(dtype)

    def time_predict(self, name, dtype):
        """Predict the points."""
        self.model.predict(self.points)

    time_predict.pretty_name = "predict 10,000 points"

    def time_gradients(self, name, dtype):
        """Differentiate the objective on the data."""
        self.model.gradients(self.x, self.y)

    time_gradients.pretty_name = "gradients of the objective"

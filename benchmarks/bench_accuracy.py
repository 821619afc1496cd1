"""Epochs to an error, and the errors of fits without epochs: numbers that no clock changes. Smaller is better."""

from __future__ import annotations

import numpy as np

import fastmlp

NEVER = 10**6  # epochs of a fit that does not reach the error
SAMPLES = 100


def sine():
    """Return samples of sin x."""
    x = np.linspace(-np.pi, np.pi, SAMPLES)
    return x, np.sin(x)


def corner():
    """Return many samples of sin 3x + |x| / 2."""
    x = np.linspace(-np.pi, np.pi, 100 * SAMPLES)
    return x, np.sin(3 * x) + np.abs(x) / 2


def surface():
    """Return samples of a smooth function of two inputs."""
    x = np.random.default_rng(0).uniform(-2, 2, (10 * SAMPLES, 2))
    return x, np.sin(2 * x[:, 0]) * np.exp(-(x[:, 1] ** 2))


PROBLEMS = {"sine": (sine, 30), "corner": (corner, 200), "surface": (surface, 100)}
CASES = {  # problem, optimiser and RMSE to reach
    "sine, lbfgs": ("sine", "lbfgs", 0.012),
    "sine, momentum": ("sine", "momentum", 0.012),
    "corner, lbfgs": ("corner", "lbfgs", 0.02),
    "surface, lbfgs": ("surface", "lbfgs", 0.03),
    "surface, momentum": ("surface", "momentum", 0.03),
}
OPTIMIZERS = {
    "lbfgs": {"optimizer": "lbfgs", "epochs": 3000},
    "momentum": {"momentum": 0.9, "lr": "constant", "epochs": 10_000},
}


class EpochsToError:
    """Epochs until an RMSE is reached, the median of five seeds."""

    params = (list(CASES),)
    param_names = ("case",)
    unit = "epochs"
    timeout = 300

    def setup(self, case):
        """Skip optimisers that the commit does not have."""
        try:
            self.epochs(case, 0, 1)
        except (TypeError, ValueError) as error:
            raise NotImplementedError from error

    def epochs(self, case, seed, n_epochs=None):
        """Return the first epoch whose RMSE is at most the target."""
        problem, optimizer, target = CASES[case]
        make, hidden = PROBLEMS[problem]
        options = OPTIMIZERS[optimizer] | ({} if n_epochs is None else {"epochs": n_epochs})
        history = fastmlp.fit(*make(), hidden=hidden, rng=seed, progress=False, **options).history
        reached = history.epoch[history.rmse <= target]
        return int(reached[0]) if reached.size else NEVER

    def track_epochs(self, case):
        """Return the median."""
        return float(np.median([self.epochs(case, seed) for seed in range(5)]))

    track_epochs.pretty_name = "epochs to an error"


class Knots:
    """Splines with free knots."""

    params = (["sine", "corner"],)
    param_names = ("problem",)

    def setup(self, problem):
        """Fit; skip commits without `fit_knots`."""
        if not hasattr(fastmlp, "fit_knots"):
            raise NotImplementedError
        make, hidden = PROBLEMS[problem]
        self.samples = make()
        self.model = fastmlp.fit_knots(*self.samples, hidden=hidden)

    def track_rmse(self, problem):
        """Return the error on the samples."""
        return self.model.rmse(*self.samples)

    track_rmse.unit = "RMSE"
    track_rmse.pretty_name = "free knots, RMSE"

    def track_evaluations(self, problem):
        """Return how many splines were evaluated."""
        return self.model.info.epochs_run

    track_evaluations.unit = "evaluations"
    track_evaluations.pretty_name = "free knots, evaluations"

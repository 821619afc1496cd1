"""The rivals in `accuracy.py`: scikit-learn, SciPy, PyTorch and pwlf, and FITPACK's splines of degree 1.

All rivals of nets train on standardised data, as fastmlp does. SciPy and PyTorch start from the weights that fastmlp
draws; scikit-learn draws its own. A rival that has no clock is run with twice as many iterations again and again, and
each run is a point of its curve.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

import fastmlp
from benchmarks.accuracy_problems import Problem
from benchmarks.accuracy_runs import Curve, Method, root_mean_square, shortest
from benchmarks.rivals import FloatArray
from fastmlp.engines.engine import Weights
from fastmlp.engines.reference import forward, gradients

MOST_PIECES = 60  # of pwlf, which takes minutes beyond
RANGE = 14  # powers of ten below the variance; with a smaller s, SciPy 1.17's splrep crashes on a step
N_BISECTIONS = 30  # for the smoothing factor with which splrep has as many pieces


class Standardised:
    """A problem with columns of mean 0 and standard deviation 1."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.x_maps, self.y_maps = ((data.mean(axis=0), data.std(axis=0)) for data in (problem.x, problem.y))
        self.x = self.inputs(problem.x)
        self.y = (problem.y - self.y_maps[0]) / self.y_maps[1]

    def inputs(self, x: FloatArray) -> FloatArray:
        """Return inputs in the coordinates of the training."""
        return (x - self.x_maps[0]) / self.x_maps[1]

    def rmse(self, predict: Callable[[FloatArray], FloatArray]) -> float:
        """Return the RMSE on the samples in the units of y."""
        return root_mean_square((predict(self.x).reshape(self.y.shape) - self.y) * self.y_maps[1])

    def fresh_rmse(self, predict: Callable[[FloatArray], FloatArray]) -> float:
        """Return the RMSE on the fresh samples in the units of y."""
        outputs = predict(self.inputs(self.problem.fresh_x)).reshape(self.problem.fresh_y.shape)
        return root_mean_square(outputs * self.y_maps[1] + self.y_maps[0] - self.problem.fresh_y)


def start_of(problem: Problem, seed: int) -> Weights:
    """Return the weights that fastmlp draws, in the coordinates of the training."""
    model = fastmlp.fit(
        problem.x, problem.y, hidden=problem.hidden, epochs=1, lr=1e-300, standardize=True, rng=seed, progress=False
    )
    return model.info.standardization.unfold(model.weights)


def scikit_learn(solver: str) -> Method:
    """Return MLPRegressor with a solver, with 1, 2, 4, ... iterations until the budget is spent."""

    def run(problem: Problem, seed: int, budget: float) -> Curve:
        from sklearn.neural_network import MLPRegressor

        data, curve = Standardised(problem), Curve()
        options = {
            "hidden_layer_sizes": problem.hidden,
            "alpha": 0.0,
            "tol": 0.0,
            "random_state": seed,
            "n_iter_no_change": 10**9,
            "max_fun": 10**9,
        }
        iterations, taken = 1, 0.0
        target = data.y if data.y.shape[1] > 1 else data.y[:, 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            while 2 * taken <= budget:
                net = MLPRegressor(solver=solver, max_iter=iterations, **options)
                started = time.process_time()
                net.fit(data.x, target)
                taken = time.process_time() - started
                curve.add(taken, data.rmse(net.predict))
                if net.n_iter_ < iterations:
                    break
                iterations *= 2
        curve.fresh_rmse = data.fresh_rmse(net.predict)
        return curve

    return run


def scipy_lbfgs(problem: Problem, seed: int, budget: float) -> Curve:
    """Return SciPy's L-BFGS-B with the gradient of fastmlp's reference, from fastmlp's start."""
    from scipy.optimize import minimize

    data, curve = Standardised(problem), Curve()
    start = start_of(problem, seed)
    shapes = [array.shape for array in start]
    ends = np.cumsum([array.size for array in start])[:-1]
    started = time.process_time()
    best = [np.inf, np.zeros(0)]

    def weights_of(vector: FloatArray) -> Weights:
        return Weights(*(part.reshape(shape) for part, shape in zip(np.split(vector, ends), shapes, strict=True)))

    def objective(vector: FloatArray) -> tuple[float, FloatArray]:
        weights = weights_of(vector)
        done = forward(data.x, weights, 0.0)
        error = done.h2 - data.y
        grads, _ = gradients(data.x, error / len(error), done, weights)
        value = 0.5 * float(np.mean(np.sum(error**2, axis=1)))
        if value < best[0]:
            best[:] = [value, vector.copy()]
            seconds = time.process_time() - started
            if not curve.seconds or seconds > 1.2 * curve.seconds[-1]:
                curve.add(seconds, root_mean_square(error * data.y_maps[1]))
        return value, np.concatenate([grad.ravel() for grad in grads])

    def stop(vector: FloatArray) -> None:
        if time.process_time() - started > budget:
            raise StopIteration

    options = {"maxiter": 10**7, "maxfun": 10**7, "ftol": 0.0, "gtol": 0.0, "maxcor": 20}
    minimize(
        objective,
        np.concatenate([w.ravel() for w in start]),
        jac=True,
        method="L-BFGS-B",
        callback=stop,
        options=options,
    )
    weights = weights_of(best[1])

    def predict(x: FloatArray) -> FloatArray:
        return forward(x, weights, 0.0).h2

    curve.add(time.process_time() - started, data.rmse(predict))
    curve.fresh_rmse = data.fresh_rmse(predict)
    return curve


def torch(optimizer: str) -> Method:
    """Return PyTorch's Adam with its default rate, or its L-BFGS with a strong Wolfe search, from fastmlp's start."""

    def run(problem: Problem, seed: int, budget: float) -> Curve:
        import torch

        torch.set_num_threads(1)
        data, curve = Standardised(problem), Curve()
        start = start_of(problem, seed)
        net = torch.nn.Sequential(
            torch.nn.Linear(problem.x.shape[1], problem.hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(problem.hidden, problem.y.shape[1]),
        ).double()
        with torch.no_grad():
            for parameter, array in zip(net.parameters(), (start.w1.T, start.b1, start.w2.T, start.b2), strict=True):
                parameter.copy_(torch.from_numpy(array.copy()))
        x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
        make: dict[str, Callable[[], Any]] = {
            "Adam": lambda: torch.optim.Adam(net.parameters()),
            "L-BFGS": lambda: torch.optim.LBFGS(
                net.parameters(), max_iter=20, history_size=20, line_search_fn="strong_wolfe"
            ),
        }
        steps = make[optimizer]()
        started = time.process_time()

        def closure() -> Any:
            steps.zero_grad()
            loss = ((net(x) - y) ** 2).sum(dim=1).mean() / 2
            loss.backward()
            return loss

        def predict(x: FloatArray) -> FloatArray:
            with torch.no_grad():
                return net(torch.from_numpy(x)).numpy()

        seconds = 0.0
        while seconds < budget:
            steps.step(closure)
            seconds = time.process_time() - started
            if not curve.seconds or seconds > 1.2 * curve.seconds[-1]:
                curve.add(seconds, data.rmse(predict))
        curve.fresh_rmse = data.fresh_rmse(predict)
        return curve

    return run


def _spline_point(problem: Problem, evaluate: Callable[[FloatArray], FloatArray], seconds: float) -> Curve:
    curve = Curve(fresh_rmse=root_mean_square(evaluate(problem.fresh_x[:, 0]) - problem.fresh_y[:, 0]))
    curve.add(seconds, root_mean_square(evaluate(problem.x[:, 0]) - problem.y[:, 0]))
    return curve


def pwlf_fit(problem: Problem, seed: int, budget: float) -> Curve:
    """Return pwlf's fast fit with as many pieces."""
    import pwlf

    np.random.seed(seed)  # noqa: NPY002, pwlf draws its starts from the global generator
    started = time.process_time()
    fit = pwlf.PiecewiseLinFit(problem.x[:, 0], problem.y[:, 0])
    fit.fitfast(problem.hidden)
    return _spline_point(problem, fit.predict, time.process_time() - started)


def splrep(problem: Problem, seed: int, budget: float) -> Curve:
    """Return FITPACK's smoothing spline of degree 1 with at most as many pieces; the search for s is not timed."""
    from scipy.interpolate import splev, splrep

    x, y = problem.x[:, 0], problem.y[:, 0]
    high = np.log10(np.sum((y - y.mean()) ** 2))
    low = high - RANGE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(N_BISECTIONS):
            middle = 0.5 * (low + high)
            pieces = len(splrep(x, y, k=1, s=10**middle)[0]) - 3
            low, high = (low, middle) if pieces <= problem.hidden else (middle, high)
        spline, seconds = shortest(lambda: splrep(x, y, k=1, s=10**high))
    return _spline_point(problem, lambda at: splev(at, spline), seconds)


def uniform_knots(problem: Problem, seed: int, budget: float) -> Curve:
    """Return FITPACK's least-squares spline of degree 1 with equally spaced knots."""
    from scipy.interpolate import LSQUnivariateSpline

    x, y = problem.x[:, 0], problem.y[:, 0]
    knots = np.linspace(x[0], x[-1], problem.hidden + 1)[1:-1]
    return _spline_point(problem, *shortest(lambda: LSQUnivariateSpline(x, y, knots, k=1)))


RIVALS: dict[str, tuple[str, Method]] = {
    "scikit-learn lbfgs": ("sklearn", scikit_learn("lbfgs")),
    "scikit-learn adam": ("sklearn", scikit_learn("adam")),
    "SciPy L-BFGS-B": ("scipy", scipy_lbfgs),
    "PyTorch Adam": ("torch", torch("Adam")),
    "PyTorch L-BFGS": ("torch", torch("L-BFGS")),
}
SPLINES: dict[str, tuple[str, Method]] = {
    "pwlf": ("pwlf", pwlf_fit),
    "splrep": ("scipy", splrep),
    "LSQUnivariateSpline": ("scipy", uniform_knots),
}


def rival_methods(problem: Problem) -> dict[str, Method]:
    """Return the rivals that are installed and can fit a problem, by name."""
    rivals = RIVALS | (SPLINES if problem.is_curve else {})
    if problem.hidden > MOST_PIECES:
        rivals = {name: rival for name, rival in rivals.items() if name != "pwlf"}
    if problem.is_curve and problem.hidden >= len(problem.x) - 1:
        rivals = {name: rival for name, rival in rivals.items() if name not in SPLINES}
    return {name: method for name, (package, method) in rivals.items() if find_spec(package)}

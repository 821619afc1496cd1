"""The recipe of fit_cv against an independent one in plain NumPy, and its intervals against the definition of CV+."""

import numpy as np
import pytest

import fastmlp
from fastmlp.engines.net_batches import batch
from fastmlp.models.out_of_fold import OutOfFold

HIDDEN, N_PAIRS, MAX_STEPS = 6, batch.N_PAIRS, 400
ALPHAS = (100.0, 30.0, 10.0)  # with smaller ones, L-BFGS amplifies rounding until it ends in another minimum


def forward(x, net):
    w1, b1, w2, b2 = net
    h1 = x @ w1 + b1
    return h1, np.maximum(h1, 0) @ w2 + b2


def objective(vector, shapes, x, y, s, decay):
    """Return the penalised objective and its gradient; the weights s sum to 1."""
    parts = np.split(vector, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    w1, b1, w2, b2 = (part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
    h1, h2 = forward(x, (w1, b1, w2, b2))
    error = s[:, None] * (h2 - y)
    dh1 = (error @ w2.T) * (h1 > 0)
    gradients = x.T @ dh1 + decay * w1, dh1.sum(axis=0), np.maximum(h1, 0).T @ error + decay * w2, error.sum(axis=0)
    value = (s @ (h2 - y) ** 2).sum() / 2 + decay / 2 * ((w1**2).sum() + (w2**2).sum())
    return value, np.concatenate([gradient.ravel() for gradient in gradients])


def minimised(net, *problem):
    """Minimise by L-BFGS with a weak Wolfe search by bisection."""
    shapes = [part.shape for part in net]
    theta = np.concatenate([part.ravel() for part in net])
    value, gradient = objective(theta, shapes, *problem)
    pairs, n_small = [], 0
    for _ in range(MAX_STEPS):
        if n_small == 3:
            break
        direction, alphas = -gradient, []
        for s, y in reversed(pairs):
            alphas.append(s @ direction / (s @ y))
            direction = direction - alphas[-1] * y
        if pairs:
            s, y = pairs[-1]
            direction = direction * (s @ y) / (y @ y)
        for s, y in pairs:
            direction = direction + (alphas.pop() - y @ direction / (s @ y)) * s
        slope = gradient @ direction
        step, low, high = 1.0 if pairs else 1 / np.sqrt(-slope), 0.0, np.inf
        while True:
            trial = theta + step * direction
            new_value, new_gradient = objective(trial, shapes, *problem)
            decreases = new_value <= value + 1e-4 * step * slope
            if decreases and new_gradient @ direction >= 0.9 * slope:
                break
            low, high = (step, high) if decreases else (low, step)
            step = (low + high) / 2 if high < np.inf else 2 * low
        pairs = [*pairs, (trial - theta, new_gradient - gradient)][-N_PAIRS:]
        n_small = n_small + 1 if value - new_value <= 1e-5 * value else 0
        theta, value, gradient = trial, new_value, new_gradient
    parts = np.split(theta, np.cumsum([np.prod(shape) for shape in shapes])[:-1])
    return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))


def starts(rng, n_nets, n_in, n_out):
    w1 = rng.standard_normal((n_nets, n_in, HIDDEN)) / np.sqrt(n_in)
    b1 = rng.standard_normal((n_nets, HIDDEN))
    w2 = rng.standard_normal((n_nets, HIDDEN, n_out)) / np.sqrt(HIDDEN)
    return [(w1[i], b1[i], w2[i], np.zeros(n_out)) for i in range(n_nets)]


class Part:
    """Rows that nets are trained on: standardised, with a factor for each input."""

    def __init__(self, x, y):
        self.x, self.y = x, y
        self.x_mean, self.x_std, self.y_mean, self.y_std = x.mean(0), x.std(0), y.mean(0), y.std(0)
        self.factor = np.ones(x.shape[1])

    def inputs(self, x):
        return (x - self.x_mean) / self.x_std * self.factor

    def train(self, start, alpha):
        s = np.full(len(self.x), 1 / len(self.x))
        target = (self.y - self.y_mean) / self.y_std
        return minimised(start, self.inputs(self.x), target, s, alpha / len(self.x))

    def predict(self, net, x):
        return forward(self.inputs(x), net)[1] * self.y_std + self.y_mean

    def clipped(self, outputs):
        return np.clip(outputs, self.y.min(0), self.y.max(0))

    def next_factor(self, nets):
        squares = 0
        for w1, b1, w2, b2 in nets:
            is_active = forward(self.inputs(self.x), (w1, b1, w2, b2))[0] > 0
            slopes = np.einsum("nh,ih,ho->noi", is_active, w1, w2)
            squares = squares + (slopes**2).mean(axis=(0, 1)) / len(nets)
        sensitivity = np.sqrt(squares)
        factor = np.sqrt(sensitivity + 0.001 * sensitivity.max())
        return factor / np.sqrt(np.mean(factor**2))


def recipe(x, y, seed, n_folds=5, n_nets=5):
    """Return for each round the errors along the path, then the out-of-fold predictions and those of the model at x."""
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(x)) % n_folds
    whole = Part(x, y)
    parts = [Part(x[fold != k], y[fold != k]) for k in range(n_folds)]
    paths, tested, nets_of_all = [], np.zeros((2, *y.shape)), np.zeros((2, *y.shape))
    for i in range(2):
        fold_starts = starts(rng, n_folds, *x.shape[1:], y.shape[1])
        all_starts = starts(rng, n_nets, *x.shape[1:], y.shape[1])
        errors, best = [], None
        for alpha in ALPHAS:
            nets = [part.train(start, alpha) for part, start in zip(parts, fold_starts, strict=True)]
            outputs, clipped = np.zeros((2, *y.shape))
            for k, (part, net) in enumerate(zip(parts, nets, strict=True)):
                outputs[fold == k] = part.predict(net, x[fold == k])
                clipped[fold == k] = part.clipped(outputs[fold == k])
            errors.append(np.mean(((clipped - y) / whole.y_std) ** 2))
            if errors[-1] == min(errors):
                best = alpha, nets, outputs
        paths.append(errors)
        all_nets = [whole.train(start, best[0]) for start in all_starts]
        tested[i] = best[2]
        nets_of_all[i] = np.mean([whole.predict(net, x) for net in all_nets], axis=0)
        factors = [part.next_factor([net]) for part, net in zip(parts, best[1], strict=True)]
        whole.factor = whole.factor * whole.next_factor(all_nets)
        for part, factor in zip(parts, factors, strict=True):
            part.factor = part.factor * factor
    mean = tested.mean(axis=0)
    for k, part in enumerate(parts):
        mean[fold == k] = part.clipped(mean[fold == k])
    return np.array(paths), mean, whole.clipped(nets_of_all.mean(axis=0))


def sorted_table(n_out):
    rng = np.random.default_rng(n_out)
    x = rng.uniform(-2, 2, (50, 3)) * [1, 10, 0.1] + [0, 5, 1]
    y = np.stack([np.sin(x[:, 0]), x[:, 1], x[:, 0] * x[:, 1]][:n_out], axis=1)
    y += 0.3 * y.std(axis=0) * rng.standard_normal(y.shape)
    order = np.argsort(y[:, -1])  # the order in which fit_cv takes the rows
    return x[order], y[order]


@pytest.mark.parametrize(("n_out", "dtype", "tolerance"), [(1, np.float64, 2e-3), (2, np.float32, 5e-3)])
def test_fit_cv_is_the_recipe(monkeypatch, n_out, dtype, tolerance):
    monkeypatch.setattr(batch, "DTYPE", np.dtype(dtype))
    x, y = sorted_table(n_out)
    paths, mean, fitted = recipe(x, y, seed=3)
    model = fastmlp.fit_cv(x, y, rng=3, hidden=HIDDEN, alphas=ALPHAS)
    unit = y.std() if n_out == 1 else 1.0
    for errors, results in zip(paths, model.info.cv_results, strict=True):
        tried = len(results["alpha"])
        np.testing.assert_allclose(results["rmse"], unit * np.sqrt(errors[:tried]), rtol=tolerance)
    error = np.abs(model.out_of_fold.predictions - mean) / y.std(axis=0)
    assert np.sqrt(np.mean(error**2)) < 3 * tolerance
    np.testing.assert_allclose(model.info.cv_rmse, np.sqrt(np.mean((mean - y) ** 2)), rtol=tolerance)
    difference = (model.predict(x) - fitted) / y.std(axis=0)
    assert np.sqrt(np.mean(difference**2)) < 3 * tolerance


def cv_plus(centres, residuals, fold, weight, coverage):
    """Return the ends of one CV+ interval by its definition, with each sample as often as its weight says."""
    order = np.repeat(np.arange(len(fold)), weight)
    n = len(order)
    rank = int(np.ceil(coverage * (n + 1) - 1e-9))
    if rank > n:
        return -np.inf, np.inf
    size = np.abs(residuals[order])
    low, high = np.sort(centres[fold[order]] - size), np.sort(centres[fold[order]] + size)
    return low[n - rank], high[rank - 1]


@pytest.mark.parametrize("seed", range(8))
def test_intervals_are_those_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    n, n_folds = int(rng.integers(6, 40)), int(rng.integers(1, 6))
    fold = np.append(np.arange(n_folds), rng.integers(0, n_folds, n - n_folds))
    residuals = np.round(rng.standard_normal((n, 2)), 1 if seed % 2 else 9) * [1.0, 1e6]
    weight = rng.integers(1, 4, n)
    centres = rng.standard_normal((n_folds, 20, 2))
    out_of_fold = OutOfFold([None] * n_folds, fold, np.zeros((n, 2)), residuals, weight.astype(float))
    for coverage in (0.5, 0.9, 0.95):
        low, high = out_of_fold.interval(list(centres), coverage)
        expected = [
            [cv_plus(centres[:, i, o], residuals[:, o], fold, weight, coverage) for o in range(2)] for i in range(20)
        ]
        scale = np.abs(residuals).max(axis=0)
        np.testing.assert_allclose(low / scale, np.array(expected)[:, :, 0] / scale, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(high / scale, np.array(expected)[:, :, 1] / scale, rtol=1e-14, atol=1e-15)


def test_intervals_of_a_model_are_cv_plus_with_the_predictions_inside():
    x, y = sorted_table(2)
    model = fastmlp.fit_cv(x, y, rng=0)
    new = np.random.default_rng(0).uniform(x.min(0), x.max(0), (40, 3))
    low, high = model.predict_interval(new, coverage=0.8)
    held = model.out_of_fold
    centres = np.stack([net.predict(new) for net in held.nets])
    np.testing.assert_allclose(y - held.predictions, held.residuals)
    for k, net in enumerate(held.nets):
        of_fold = held.fold == k
        np.testing.assert_allclose(net.predict(x[of_fold]), held.predictions[of_fold], rtol=1e-5, atol=1e-6)
    for i, predicted in enumerate(model.predict(new)):
        for o in range(2):
            ends = cv_plus(centres[:, i, o], held.residuals[:, o], held.fold, np.ones(50, int), 0.8)
            expected = min(ends[0], predicted[o]), max(ends[1], predicted[o])
            np.testing.assert_allclose((low[i, o], high[i, o]), expected, rtol=1e-12)


def test_intervals_cover_new_observations_as_often_as_they_say():
    rng = np.random.default_rng(0)
    inside = []
    for seed in range(12):
        x = rng.uniform(-2, 2, (80 + 400, 2))
        y = np.sin(2 * x[:, 0]) + x[:, 1] + 0.5 * rng.standard_normal(480)
        model = fastmlp.fit_cv(x[:80], y[:80], rng=seed)
        low, high = model.predict_interval(x[80:])
        inside.append(np.mean((y[80:] >= low) & (y[80:] <= high)))
    assert 0.86 < np.mean(inside) < 0.96


def test_the_error_estimate_is_that_of_new_rows():
    rng = np.random.default_rng(1)
    estimated, measured = [], []
    for seed in range(12):
        x = rng.uniform(-2, 2, (80 + 400, 2))
        y = np.sin(2 * x[:, 0]) * (seed % 2) + 0.5 * rng.standard_normal(480)  # half of them are noise
        model = fastmlp.fit_cv(x[:80], y[:80], rng=seed)
        estimated.append(model.info.cv_rmse)
        measured.append(model.rmse(x[80:], y[80:]))
    assert 0.93 < np.mean(estimated) / np.mean(measured) < 1.1

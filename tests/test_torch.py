"""The dense engine compared with autograd and the optimisers of PyTorch, on random shapes."""

import numpy as np
import pytest

import fastmlp

torch = pytest.importorskip("torch")

WEIGHTS = ("w1", "b1", "w2", "b2")
STEPS = 30
OPTIONS = [
    {"lr": 0.02},
    {"lr": 0.02, "momentum": 0.9},
    {"lr": 0.02, "momentum": 0.7, "nesterov": True, "weight_decay": 1e-2},
    {"lr": 0.005, "optimizer": "adam", "weight_decay": 1e-2},
    {"lr": 0.02, "momentum": 0.7, "weight_decay": {"w1": 1e-2, "b1": 0.0, "w2": 3e-2, "b2": 0.1}},
]


def torch_steps(x, y, sample_weight, init, negative_slope, lr, optimizer="sgd", weight_decay=0.0, **options):
    """Yield the weights after each step of PyTorch."""
    torch.set_num_threads(1)  # for nets this small
    parameters = [torch.tensor(array, requires_grad=True) for array in init]
    w1, b1, w2, b2 = parameters
    decays = weight_decay if isinstance(weight_decay, dict) else dict.fromkeys(WEIGHTS, weight_decay)
    groups = [{"params": [p], "weight_decay": decays[name]} for p, name in zip(parameters, WEIGHTS, strict=True)]
    trainer = (torch.optim.Adam if optimizer == "adam" else torch.optim.SGD)(groups, lr=lr, **options)
    inputs, targets, weight = (torch.tensor(array) for array in (x, y, sample_weight / sample_weight.sum()))
    while True:
        trainer.zero_grad()
        output = torch.nn.functional.leaky_relu(inputs @ w1 + b1, negative_slope) @ w2 + b2
        (weight @ ((output - targets) ** 2).sum(dim=1) / 2).backward()
        trainer.step()
        yield [array.detach().numpy().copy() for array in parameters]


@pytest.mark.parametrize("seed", range(10))
def test_each_step_equals_pytorchs_on_a_random_shape(problem, seed):
    rng = np.random.default_rng(seed)
    n_in, n_out = int(rng.integers(1, 12)), int(rng.integers(1, 4))
    n_samples, n_hidden = int(rng.integers(1, 200)), int(rng.integers(1, 60))
    negative_slope = float(rng.choice([0.0, 0.1]))
    x, y, sample_weight, init = problem(n_in, n_out, n_samples, n_hidden, seed=seed)
    options = OPTIONS[seed % len(OPTIONS)]
    got = fastmlp.fit(
        x,
        y,
        init=init,
        epochs=STEPS,
        snapshots=range(STEPS + 1),
        sample_weight=sample_weight,
        negative_slope=negative_slope,
        algorithm="dense",
        threads=1 + seed % 2,
        **options,
    ).history.snapshots
    steps = torch_steps(x, y, sample_weight, init, negative_slope, **options)
    for step in range(1, STEPS + 1):
        for name, expected in zip(WEIGHTS, next(steps), strict=True):
            largest = np.abs(expected).max()
            np.testing.assert_allclose(getattr(got[step], name), expected, rtol=0, atol=1e-10 * largest)

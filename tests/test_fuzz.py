"""A small part of the fuzz with fixed seeds, and that it finds what it should."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastmlp

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def fuzz(monkeypatch):
    """Import a module of the fuzz by name."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return lambda name: importlib.import_module(f"fuzz.{name}")


@pytest.mark.parametrize("seed", range(40))
def test_a_random_call_agrees_with_the_oracle(fuzz, seed):
    verdict = fuzz("judge").judge(fuzz("calls").random_call(seed))
    assert verdict.kind != "fault", verdict.text


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1400, 50))
def test_random_calls_agree_with_the_oracle(fuzz, first):
    for seed in range(first, first + 50):
        verdict = fuzz("judge").judge(fuzz("calls").random_call(seed))
        assert verdict.kind != "fault", f"seed {seed}: {verdict.text}"


def test_most_calls_are_judged(fuzz):
    kinds = [fuzz("judge").judge(fuzz("calls").random_call(seed)).kind for seed in range(20)]
    assert kinds.count("agrees") >= 15


@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2"])
def test_an_error_of_1e_9_in_a_weight_is_a_fault(fuzz, monkeypatch, sine, name):
    fit = fastmlp.fit

    def wrong(*args, **options):
        model = fit(*args, **options)
        return replace(model, **{name: getattr(model, name) * (1 + 1e-9)})

    call = _call(fuzz("calls"), sine)
    assert fuzz("judge").judge(call).kind == "agrees"
    monkeypatch.setattr(fastmlp, "fit", wrong)
    assert fuzz("judge").judge(call).kind == "fault"


def test_a_wrong_count_of_crossings_is_a_fault(fuzz, monkeypatch, sine):
    fit = fastmlp.fit

    def wrong(*args, **options):
        model = fit(*args, **options)
        return replace(model, history=replace(model.history, crossings=model.history.crossings + 1))

    monkeypatch.setattr(fastmlp, "fit", wrong)
    verdict = fuzz("judge").judge(_call(fuzz("calls"), sine))
    assert verdict.kind == "fault"
    assert "crossings" in verdict.text


def test_a_fault_is_reduced_to_a_small_call(fuzz, monkeypatch, sine):
    fit = fastmlp.fit
    monkeypatch.setattr(fastmlp, "fit", lambda *args, **options: _with_wrong_bias(fit(*args, **options)))
    call = _call(fuzz("calls"), sine)
    smallest, verdict = fuzz("__main__").reduced(call, fuzz("judge").judge(call))
    assert verdict.kind == "fault"
    assert len(smallest.x) == 1
    assert smallest.epochs == 1
    assert "fastmlp.fit(" in fuzz("calls").as_code(smallest, verdict.lr)


def test_the_oracle_has_the_gradient_of_central_differences(fuzz):
    oracle = fuzz("oracle")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 2)), rng.normal(size=(9, 3))
    net = (rng.normal(size=(2, 4)), rng.normal(size=4), rng.normal(size=(4, 3)), rng.normal(size=3))
    weight = np.full(9, 1 / 9)

    def objective(net):
        return 0.5 * np.sum(weight[:, None] * (oracle.outputs(x, net, 0.1)[0] - y) ** 2)

    grads = oracle.gradient(x, weight[:, None] * (oracle.outputs(x, net, 0.1)[0] - y), net, 0.1)
    for k, grad in enumerate(grads):
        for index in np.ndindex(grad.shape):
            step = np.zeros_like(grad)
            step[index] = 1e-6
            after, before = (objective([*net[:k], net[k] + sign * step, *net[k + 1 :]]) for sign in (1, -1))
            assert grad[index] == pytest.approx((after - before) / 2e-6, rel=1e-6, abs=1e-9)


def _call(calls, data):
    x, y = data
    options = {"standardize": False, "hidden_bias": True, "output_bias": True, "negative_slope": 0.0}
    return calls.Call(x, y, None, 0.3, 10, 20, 0.5, None, 0, "univariate", None, "whole", options)


def _with_wrong_bias(model):
    return replace(model, b2=model.b2 + 1.0)

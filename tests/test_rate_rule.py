"""The automatic rate as a rule: pieces, bits, files, plots, and what a fit says when the rate is too large."""

import functools
import warnings
from dataclasses import replace

import numpy as np
import pytest

import fastmlp
from fastmlp.engines.engine import PiecewiseRate
from fastmlp.files import archives
from fastmlp.starting.rate_rule import automatic_schedule, momentum_factor

FAST = functools.partial(fastmlp.fit, hidden=30, epochs=400, rng=0, progress=False)
WEIGHTS = ("w1", "b1", "w2", "b2")


def assert_same_bits(got, expected):
    for name in WEIGHTS:
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    np.testing.assert_array_equal(got.history.rmse, expected.history.rmse)


def wave(n):
    x = np.linspace(-np.pi, np.pi, n)
    return x, np.sin(3 * x)


def table(n, n_in):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, n_in))
    return x, np.sin(x @ rng.normal(size=n_in))


def test_the_rule():
    assert automatic_schedule(32000, 0.0) == PiecewiseRate((0, 25600, 28160, 30720), (1.0, 0.4, 0.15, 0.03))
    assert automatic_schedule(25, 0.0) == PiecewiseRate((0, 20, 22, 24), (1.0, 0.4, 0.15, 0.03))
    assert automatic_schedule(1, 0.0) == automatic_schedule(2, 0.0) == PiecewiseRate((0,), (1.0,))
    assert automatic_schedule(5, 0.0) == PiecewiseRate((0, 4), (1.0, 0.4))
    assert momentum_factor(0.0) == 1
    assert momentum_factor(0.9) == pytest.approx(0.25, rel=0.01)
    assert momentum_factor(0.999) == 0.1
    assert automatic_schedule(100, 0.9).factors == pytest.approx([0.2512 * f for f in (1, 0.4, 0.15, 0.03)], rel=1e-3)


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 100])
def test_a_piecewise_rate_is_a_schedule(epochs):
    rate = PiecewiseRate((0, 3, 4, 50), (1.0, 0.5, 0.25, 0.125))
    plain = [1.0 if e < 3 else 0.5 if e < 4 else 0.25 if e < 50 else 0.125 for e in range(epochs)]
    assert [rate(e) for e in range(epochs)] == plain
    assert [rate.next_start(e) for e in (0, 2, 3, 49, 50)] == [3, 3, 4, 50, np.inf]


# Pattern moments, prefix sums, stretches, sums of any optimiser, dense with few and many inputs.
FITS = {
    "pattern moments": (wave(50), {}),
    "prefix sums": (wave(50), {"hidden": 10}),
    "stretches": (wave(300), {"hidden": 10}),
    "momentum": (wave(50), {"momentum": 0.9}),
    "adam": (wave(50), {"optimizer": "adam"}),
    "few inputs": (table(50, 3), {}),
    "many inputs": (table(50, 12), {"dtype": np.float32}),
    "reference": (wave(50), {"algorithm": "reference"}),
}


@pytest.mark.parametrize("name", FITS)
def test_automatic_rates_equal_the_same_rates_given_and_any_chunks_give_the_same_bits(name, assert_same_net):
    data, options = FITS[name]
    model = FAST(*data, **options)
    assert name in (model.info.method, "reference", "momentum", "adam")
    pieces = model.info.lr_schedule
    assert [epoch for epoch, _ in pieces] == [0, 320, 352, 384]
    assert model.info.lr == pieces[0][1] == max(rate for _, rate in pieces)
    given = FAST(*data, **options, standardize=True, lr=lambda epoch: [r for start, r in pieces if start <= epoch][-1])
    assert given.info.lr_schedule is None
    assert_same_net(given, model, 1e-4 if "dtype" in options else 1e-10)
    chunked = FAST(*data, **options, snapshots=[1, 2, 100, 319, 320, 321, 352, 379, 399])
    assert_same_bits(chunked, model)


def test_a_constant_rate_gives_the_start_of_a_longer_fit(sine):
    for options in ({}, {"hidden": 8}, {"momentum": 0.5}, {"algorithm": "dense"}):
        short, long = (FAST(*sine, **options, lr="constant", epochs=epochs) for epochs in (150, 400))
        np.testing.assert_array_equal(short.history.rmse, long.history.rmse[:151])
        assert long.info.lr_schedule == ((0, long.info.lr),)
        assert (long.info.lr_rule, long.info.base_lr) == ("constant", long.info.lr)
        assert long.info.standardization is not None
        assert_same_bits(FAST(*sine, **options, standardize=True, lr=long.info.lr), long)
    automatic = FAST(*sine)
    assert automatic.info.base_lr == automatic.info.lr == FAST(*sine, lr="constant").info.lr
    assert FAST(*sine, momentum=0.9).info.base_lr == automatic.info.base_lr


def test_an_interrupted_fit_resumes_with_the_same_bits(sine, tmp_path):
    for i, options in enumerate(({}, {"hidden": 8}, {"momentum": 0.9})):
        path = tmp_path / f"{i}.npz"
        whole = FAST(*sine, **options, epochs=50_000)
        FAST(*sine, **options, epochs=50_000, checkpoint=path, callback=lambda info: info.epoch > 100)
        resumed = FAST(*sine, **options, epochs=50_000, checkpoint=path, resume=True)
        assert_same_bits(resumed, whole)
        assert resumed.info.lr_schedule == whole.info.lr_schedule
        assert resumed.history.rate_falls == whole.history.rate_falls == (40_000, 44_000, 48_000)


def test_batched_fits_have_the_bits_of_single_fits(sine):
    models = fastmlp.fit_many(*sine, [{}] * 12, hidden=10, epochs=300, rng=0).models
    for i in (0, 7, 11):
        single = fastmlp.fit(*sine, hidden=10, epochs=300, rng=np.random.SeedSequence(0, spawn_key=(i,)))
        assert models[i].info.method == "prefix sums"
        for name in WEIGHTS:
            np.testing.assert_array_equal(getattr(models[i], name), getattr(single, name))
        assert models[i].info.lr_schedule == single.info.lr_schedule
        assert models[i].history.rate_falls == single.history.rate_falls == (240, 264, 288)


def test_going_on_applies_the_rule_to_the_new_epochs(sine):
    first = FAST(*sine, momentum=0.9, epochs=100)
    again = fastmlp.fit(*sine, init=first, momentum=0.9, epochs=200)
    assert again.info.lr_rule == "auto"
    assert again.info.base_lr == first.info.base_lr
    assert [epoch for epoch, _ in again.info.lr_schedule] == [0, 160, 176, 192]
    plain = fastmlp.fit(*sine, init=again, epochs=10)
    assert plain.info.lr == plain.info.base_lr == first.info.base_lr
    constant = fastmlp.fit(*sine, init=first, epochs=10, lr="constant")
    assert constant.info.lr_schedule == ((0, first.info.base_lr),)
    given = fastmlp.fit(*sine, init=fastmlp.fit(*sine, init=first, epochs=10, lr=1e-3), epochs=10)
    assert (given.info.lr, given.info.lr_rule, given.info.base_lr) == (1e-3, None, None)


def test_adam_falls_too(sine):
    info = FAST(*sine, optimizer="adam").info
    assert info.lr_schedule == ((0, 1e-3), (320, 4e-4), (352, 1.5e-4), (384, 3e-5))


def test_files_keep_the_rule_and_old_files_have_none(sine, tmp_path):
    model = FAST(*sine, snapshots=[10])
    path = tmp_path / "model.npz"
    model.save(path)
    loaded = fastmlp.load(path)
    for info in (loaded.info, loaded.history.snapshots[10].info):
        assert (info.lr_rule, info.base_lr, info.lr_schedule) == ("auto", model.info.base_lr, model.info.lr_schedule)
    assert loaded.history.rate_falls == model.history.rate_falls == (320, 352, 384)
    assert_same_bits(fastmlp.fit(*sine, init=loaded, epochs=20), fastmlp.fit(*sine, init=model, epochs=20))

    facts, arrays = archives.read(path, "model", 1)
    for name in ("lr_rule", "base_lr", "lr_schedule"):
        del facts["info"][name]
    archives.write(path, "model", 1, facts, arrays)
    old = fastmlp.load(path)
    assert (old.info.lr, old.info.lr_rule, old.info.lr_schedule) == (model.info.lr, None, None)
    assert old.history.rate_falls == ()
    assert fastmlp.fit(*sine, init=old, epochs=5).info.lr == model.info.lr
    facts["info"]["lr_schedule"] = [[0, "fast"]]
    archives.write(path, "model", 1, facts, arrays)
    with pytest.raises(fastmlp.FileFormatError):
        fastmlp.load(path)


def test_a_plot_marks_where_the_rate_falls(sine):
    def marks(model):
        lines = model.history.plot().lines
        return [line.get_xdata()[0] for line in lines if len(line.get_xdata()) == 2 and line.get_linestyle() == ":"]

    model = FAST(*sine)
    assert marks(model) == [320, 352, 384]
    assert marks(FAST(*sine, lr="constant")) == []
    assert marks(FAST(*sine, lr=1e-3)) == []
    stopped = replace(model.history, epoch=model.history.epoch[:330], rmse=model.history.rmse[:330])
    assert marks(replace(model, history=stopped)) == [320]


def divergence(**options):
    with pytest.raises(fastmlp.DivergenceError) as caught:
        FAST(*wave(30), init=0.5, epochs=1000, **options)
    return caught.value


def test_divergence_says_epoch_rate_and_what_to_try():
    text = str(divergence(lr=5.0))
    assert text.startswith("Training diverged at epoch ")
    assert 'with lr=5.0. Use a smaller lr, such as lr=1.2, or lr="auto"; standardize=True may also help.' in text
    text = str(divergence(lr=5.0, momentum=0.9, standardize=True))
    assert text.endswith('lr="auto"; less momentum may also help.')
    text = str(divergence(lr=dict.fromkeys(WEIGHTS, 9.0), standardize=True))
    assert text.endswith('Use smaller rates, or lr="auto".')
    error = divergence(lr=lambda epoch: 1e-3 if epoch < 7 else 5.0 + epoch, standardize=True)
    assert f"at epoch {error.epoch} with lr={4.0 + error.epoch}. Let lr return smaller rates" in str(error)


def test_divergence_never_proposes_the_rate_that_was_set():
    x, y = wave(30)
    bad = fastmlp.Model(*(1e3 * np.ones(shape) for shape in ((1, 5), 5, (5, 1), 1)))
    model = fastmlp.fit(x, y, init=bad, epochs=1, lr=1e-30)
    for start, options in ((model, {"lr": 1.0}), (model, {})):
        held = replace(start, info=replace(start.info, lr=1.0, lr_rule=None, base_lr=None))
        with pytest.raises(fastmlp.DivergenceError) as caught:
            fastmlp.fit(x, y, init=held, epochs=50, **options)
        assert ('lr="auto"' in str(caught.value)) is ("lr" in options)
    held = replace(model, info=replace(model.info, lr=1.0, lr_rule="auto", base_lr=1.0))
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit(x, y, init=held, epochs=50)
    assert 'lr="auto"' not in str(caught.value)
    assert "Use a smaller lr, such as lr=0.25" in str(caught.value)


def test_a_fit_whose_error_rose_warns(sine):
    def rising(epoch):
        return 0.05 if epoch < 390 else 1.0

    match = r'The RMSE is .* after the last epoch, and was .* before\. Let lr return smaller rates, or lr="auto"\.'
    with pytest.warns(RuntimeWarning, match=match) as caught:
        model = FAST(*sine, lr=rising, standardize=True)
    assert caught[0].filename == __file__
    assert model.history.rmse[-1] > 2 * model.history.rmse.min()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FAST(*sine)
        FAST(*sine, lr=rising, standardize=True, patience=300)

"""The scikit-learn estimator: scikit-learn's own checks, its tools, and its MLPRegressor as a judge."""

import inspect
import pickle
import re
import signal
import threading
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_linnerud, make_friedman1
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from fastmlp.engines.engine import Settings
from fastmlp.sklearn import FastMLPRegressor


@parametrize_with_checks([FastMLPRegressor(), FastMLPRegressor(hidden=10, epochs=50, optimizer="sgd", alpha=0.1)])
def test_an_estimator_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def friedman():
    x, y = make_friedman1(120, noise=0.3, random_state=0)
    return x, y


def small(**options):
    return FastMLPRegressor(
        **{"hidden": 12, "epochs": 200, "optimizer": "sgd", "alpha": 0, "random_state": 0} | options
    )


def test_every_option_of_fit_is_a_parameter():
    elsewhere = {"x", "y", "rng", "sample_weight", "validation", "dtype"}  # in fit's arguments and X's dtype
    of_a_run = {"snapshots", "stop_at_crossing", "progress"}
    of_a_run |= {"checkpoint", "checkpoint_every", "resume"}
    options = {name: option.default for name, option in inspect.signature(fastmlp.fit).parameters.items()}
    own = FastMLPRegressor().get_params()
    expected = {name: default for name, default in options.items() if name not in elsewhere | of_a_run}
    expected |= {"hidden": 100, "epochs": 400, "optimizer": "lbfgs", "weight_decay": None}
    extra = {"alpha", "random_state", "early_stopping", "validation_fraction", "warm_start", "verbose", "tol"}
    assert own.keys() == expected.keys() | extra
    assert {name: own[name] for name in expected} == expected


def test_it_is_fit_under_other_names(friedman):
    x, y = friedman
    got = small().fit(x, y)
    expected = fastmlp.fit(x, y, hidden=12, epochs=200, rng=0)
    np.testing.assert_array_equal(got.predict(x), expected.predict(x))
    np.testing.assert_array_equal(got.loss_curve_, expected.history.rmse[1:] ** 2 / 2)
    for array, w in zip(
        got.coefs_ + got.intercepts_, (expected.w1, expected.w2, expected.b1, expected.b2), strict=True
    ):
        np.testing.assert_array_equal(array, w)
    assert got.loss_ == got.loss_curve_[-1]
    assert got.best_loss_ == min(got.loss_curve_)
    assert (got.n_iter_, got.t_, got.n_outputs_, got.n_layers_) == (200, 200 * 120, 1, 3)
    assert got.validation_scores_ is got.best_validation_score_ is None


@pytest.mark.parametrize(
    ("own", "theirs", "tolerance"),
    [
        ({}, {}, 1e-10),
        ({"alpha": 2.0}, {"alpha": 2.0}, 1e-10),
        ({"momentum": 0.9, "weight_decay": 0.0}, {"momentum": 0.9}, 1e-10),
        ({"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "nesterovs_momentum": True}, 1e-10),
        ({"optimizer": "adam"}, {"solver": "adam"}, 1e-5),  # epsilon stands elsewhere in the formula
    ],
)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_training_is_that_of_mlp_regressor(friedman, own, theirs, tolerance, n_outputs):
    x, y = friedman
    x = StandardScaler().fit_transform(x)
    y = y / 10 if n_outputs == 1 else np.stack([y / 10, y**2 / 100, -x[:, 0]], axis=1)
    options = {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "alpha": 0.0, "shuffle": False}
    options |= {"tol": 0.0, "n_iter_no_change": 10**9, "batch_size": len(x), "learning_rate_init": 0.01}
    judge = MLPRegressor(hidden_layer_sizes=(12,), max_iter=1, warm_start=True, random_state=0, **options | theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has not converged
        judge.fit(x, y)
        (w1, w2), (b1, b2) = judge.coefs_, judge.intercepts_
        init = (w1.copy(), b1.copy(), w2.copy(), b2.copy())
        judge.set_params(max_iter=60).fit(x, y)
    got = FastMLPRegressor(init=init, lr=0.01, epochs=60, **{"optimizer": "sgd", "alpha": 0} | own).fit(x, y)
    largest = np.abs(judge.predict(x)).max()
    np.testing.assert_allclose(got.predict(x), judge.predict(x), rtol=0, atol=tolerance * largest)
    if "alpha" not in own:  # the loss of the judge includes the penalty
        # The judge notes the loss before the update, fastmlp the one after it.
        np.testing.assert_allclose(got.loss_curve_[:-1], judge.loss_curve_[-59:], rtol=tolerance)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_alpha_is_the_penalty_of_mlp_regressor(friedman, weighted, n_outputs):
    x, y = friedman
    x, y = StandardScaler().fit_transform(x), (y - y.mean()) / y.std()
    y = y if n_outputs == 1 else np.stack([y, x[:, 0] ** 2], axis=1)
    weights = np.random.default_rng(0).uniform(0.5, 3, len(x)) if weighted else None
    # A linear activation has no kinks, on which L-BFGS could rest with a gradient that is not 0.
    options = {"hidden": 8, "alpha": 30.0, "epochs": 20000, "standardize": False, "negative_slope": 1.0}
    options |= {"random_state": 0}
    got = FastMLPRegressor(**options).fit(x, y, sample_weight=weights)
    assert got.model_.info.stop_reason in ("converged", "stalled")
    gradients = got.model_.gradients(x, y, weights)
    total = len(x) if weights is None else weights.sum()
    for name, decay in (("w1", 30 / total), ("w2", 30 / total), ("b1", 0), ("b2", 0)):
        penalised = gradients[name] + decay * getattr(got.model_, name)
        np.testing.assert_allclose(penalised, 0, atol=2e-5, err_msg=name)
    same = fastmlp.fit(
        x,
        y,
        hidden=8,
        optimizer="lbfgs",
        epochs=20000,
        standardize=False,
        negative_slope=1.0,
        rng=0,
        sample_weight=weights,
        weight_decay={"w1": 30 / total, "w2": 30 / total},
    )
    np.testing.assert_allclose(got.predict(x), same.predict(x), atol=1e-4)
    doubled = FastMLPRegressor(**options).fit(x, y, sample_weight=2 * (np.ones(len(x)) if weights is None else weights))
    assert doubled.loss_ < got.loss_  # twice the rows, the same penalty


@pytest.mark.filterwarnings("error")
def test_a_penalty_that_raises_the_error_of_the_solved_start_is_no_reason_to_warn(friedman):
    x, y = friedman
    got = FastMLPRegressor(hidden=300, alpha=10, random_state=0).fit(x, y)
    rmse = got.model_.history.rmse
    assert rmse[-1] > 2 * rmse[0]


def test_weight_decay_replaces_alpha(friedman):
    x, y = friedman
    got = FastMLPRegressor(hidden=8, weight_decay=0.01, random_state=0).fit(x, y)
    expected = fastmlp.fit(x, y, hidden=8, epochs=400, optimizer="lbfgs", weight_decay=0.01, rng=0)
    np.testing.assert_array_equal(got.predict(x), expected.predict(x))


def test_a_validation_set_of_the_users_own(friedman):
    x, y = friedman
    held = (x[80:], y[80:])
    got = small(hidden=60, epochs=3000, early_stopping=True, record_every=10).fit(x[:80], y[:80], validation=held)
    assert got.model_.info.stop_reason == "patience"
    assert got.best_validation_score_ == max(got.validation_scores_) == pytest.approx(got.score(*held))
    assert got.t_ == got.n_iter_ * 80
    expected = fastmlp.fit(
        x[:80], y[:80], hidden=60, epochs=3000, rng=0, validation=held, patience=300, record_every=10
    )
    np.testing.assert_array_equal(got.predict(x), expected.predict(x))
    plain = small().fit(x[:80], y[:80], validation=(*held, np.ones(40)))
    assert plain.n_iter_ == 200
    assert plain.validation_scores_[-1] == pytest.approx(plain.score(*held))
    with pytest.raises(
        TypeError, match=re.escape("validation must be a tuple (X, y) or (X, y, sample_weight), got str")
    ):
        small().fit(x, y, validation="0.1")
    with pytest.raises(ValueError, match=r"validation must be .*, got 1 entry"):
        small().fit(x, y, validation=(x,))
    with pytest.raises(ValueError, match="features"):
        small().fit(x, y, validation=(x[:, :2], y))


@pytest.mark.parametrize("name", sorted(MLPRegressor().get_params().keys() - FastMLPRegressor().get_params().keys()))
def test_names_of_mlp_regressors_parameters_are_translated(name):
    with pytest.raises(
        TypeError, match=f"FastMLPRegressor has no parameter '{name}' of MLPRegressor; here it is "
    ) as info:
        FastMLPRegressor(**{name: 1})
    ours = re.search("here it is ([a-z_]+)", str(info.value))[1]
    assert ours in FastMLPRegressor().get_params() or ours in ("fixed", "not")
    with pytest.raises(TypeError, match="unexpected keyword argument 'hiden'"):
        FastMLPRegressor(hiden=1)


def test_partial_fit_is_for_gradient_steps_only():
    assert not hasattr(FastMLPRegressor(), "partial_fit")
    assert not hasattr(FastMLPRegressor(optimizer="lstsq"), "partial_fit")
    assert hasattr(FastMLPRegressor(optimizer="sgd"), "partial_fit")
    assert hasattr(FastMLPRegressor(optimizer="adam"), "partial_fit")
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as info:
        FastMLPRegressor().partial_fit([[1.0]], [1.0])
    assert str(info.value.__cause__) == 'partial_fit requires optimizer="sgd" or optimizer="adam", got \'lbfgs\'.'


def test_a_fit_that_cannot_improve_has_losses(friedman):
    x, _ = friedman
    got = FastMLPRegressor(random_state=0).fit(x, np.full(len(x), 3.0))
    np.testing.assert_allclose(got.predict(x), 3.0)
    assert got.best_loss_ <= got.loss_ + 1e-30


def fit_and_interrupt(estimator, x, y, seconds):
    """Press Ctrl-C some time after a fit has begun."""
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        estimator.fit(x, y)
    finally:
        timer.cancel()


@pytest.mark.parametrize("after", [0.001, 0.3])
def test_ctrl_c_raises(friedman, after):
    x, y = friedman
    estimator = FastMLPRegressor(optimizer="sgd", alpha=0, epochs=10**7, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        fit_and_interrupt(estimator, x, y, after)
    assert not hasattr(estimator, "model_")


def test_ctrl_c_ends_a_search(friedman):
    x, y = friedman
    search = GridSearchCV(FastMLPRegressor(optimizer="sgd", alpha=0, epochs=10**7), {"hidden": [3, 4]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        fit_and_interrupt(search, x, y, 0.3)


def test_it_shows_progress_on_request(friedman, capfd):
    small().fit(*friedman)
    assert capfd.readouterr() == ("", "")
    small(verbose=True).fit(*friedman)
    assert "200/200" in capfd.readouterr().err
    with pytest.raises(TypeError, match="verbose must be True or False, got 10"):
        small(verbose=10).fit(*friedman)


def test_it_works_in_scikit_learns_tools(friedman):
    x, y = friedman
    pipeline = make_pipeline(StandardScaler(), small(lr="constant"))
    search = GridSearchCV(pipeline, {"fastmlpregressor__hidden": [1, 12]}, cv=2, n_jobs=2).fit(x, y)
    assert search.best_score_ > 0.5
    assert search.best_params_ == {"fastmlpregressor__hidden": 12}
    scores = cross_val_score(small(), x, y, cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.5
    transformed = TransformedTargetRegressor(small(), func=np.log, inverse_func=np.exp).fit(x, y + 5)
    assert transformed.score(x, y + 5) > 0.5


def test_clones_are_unfitted_and_pickles_are_not(friedman):
    x, y = friedman
    fitted = small().fit(x, y)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(x)
    assert clone(fitted).get_params() == fitted.get_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(x), fitted.predict(x))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"random_state": -1}, "random_state must be at least 0, got -1."),
        (
            {"early_stopping": True, "validation_fraction": 1.0},
            "validation_fraction must be above 0 and below 1, got 1.0.",
        ),
        (
            {"early_stopping": True, "validation_fraction": 20},
            "validation_fraction must be above 0 and below 1, got 20.",
        ),
        ({"hidden": 0}, "hidden must be at least 1, got 0."),
    ],
)
def test_errors_name_the_parameter(friedman, options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        small(**options).fit(*friedman)


def test_several_outputs_and_names_of_features():
    x, y = load_linnerud(return_X_y=True, as_frame=True)
    got = small().fit(x, y)
    assert got.predict(x).shape == (20, 3)
    assert got.n_outputs_ == 3
    np.testing.assert_array_equal(got.feature_names_in_, x.columns)
    assert got.model_.feature_names == tuple(x.columns)
    assert got.model_.target_names == tuple(y.columns)
    assert clone(got).fit(x, y.to_numpy()).model_.target_names is None
    assert clone(got).fit(x.to_numpy(), y).model_.feature_names is None
    assert clone(got).set_params(init=got.model_).fit(x.to_numpy(), y).model_.feature_names == tuple(x.columns)
    with pytest.raises(ValueError, match="feature names should match"):
        got.predict(x[x.columns[::-1]])


def test_sample_weights_are_repetitions(friedman):
    x, y = friedman
    weights = np.random.default_rng(0).integers(0, 4, len(x))
    got = small().fit(x, y, sample_weight=weights)
    expected = small().fit(np.repeat(x, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(got.predict(x), expected.predict(x), rtol=1e-8)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_weight_of_two_is_the_sample_twice_to_the_bit(friedman, n_outputs):
    x, y = friedman
    y = y if n_outputs == 1 else np.stack([y, -y], axis=1)
    weights = np.random.default_rng(0).integers(0, 4, len(x))
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(len(x)), weights))
    got = FastMLPRegressor(hidden=30, random_state=0).fit(x, y, sample_weight=weights)
    expected = FastMLPRegressor(hidden=30, random_state=0).fit(x[rows], y[rows])
    np.testing.assert_array_equal(got.predict(x), expected.predict(x))
    assert (got.t_, expected.t_) == (got.n_iter_ * len(x), got.n_iter_ * len(rows))
    plain = FastMLPRegressor(hidden=30, random_state=0).fit(x, y, sample_weight=np.full(len(x), 2.0))
    of_fit = fastmlp.fit(
        x, y, hidden=30, epochs=400, optimizer="lbfgs", weight_decay=dict.fromkeys(("w1", "w2"), 1 / 240), rng=0
    )
    np.testing.assert_array_equal(plain.predict(x), of_fit.predict(x))
    for wrong in (-weights, weights[1:], weights * np.nan, weights.astype(str), weights * 0):
        with pytest.raises((ValueError, TypeError), match="sample_weight"):
            FastMLPRegressor().fit(x, y, sample_weight=wrong)


def test_float32_stays(friedman):
    x, y = friedman
    got = small().fit(x.astype(np.float32), y.astype(np.float32))
    assert got.coefs_[0].dtype == got.predict(x.astype(np.float32)).dtype == np.float32


def test_targets_keep_their_precision_beside_float32_inputs(friedman):
    x, y = friedman
    stamps = 1.7e9 + y
    got = small().fit(x.astype(np.float32), stamps)
    assert got.coefs_[0].dtype == np.float64
    assert np.abs(got.predict(x.astype(np.float32)) - stamps).max() < 20


@pytest.mark.parametrize("kind", ["datetime64[s]", "timedelta64[s]"])
def test_dates_are_refused(friedman, kind):
    x, y = friedman
    dates = np.arange(len(y)).astype(kind)
    with pytest.raises(TypeError, match=r"y must be an array of real numbers, got dtype .*64\[s\]"):
        small().fit(x, dates)
    with pytest.raises(TypeError, match=r"X must be an array of real numbers, got dtype .*64\[s\]"):
        small().fit(dates[:, None], y)
    with pytest.raises(TypeError, match=r"X must be an array of real numbers, got dtype .*64\[s\]"):
        small().fit(x[:, :1], y).predict(dates[:, None])


def test_warm_start_and_partial_fit_go_on(friedman):
    x, y = friedman
    expected = small(epochs=100, lr="constant").fit(x, y)
    warm = small(epochs=40, warm_start=True, lr="constant").fit(x, y).set_params(epochs=60).fit(x, y)
    np.testing.assert_allclose(warm.predict(x), expected.predict(x), rtol=1e-9)
    assert warm.n_iter_ == 60
    partial = small(patience=3, min_delta=0.1)  # of which a single epoch makes no use
    for _ in range(100):
        partial.partial_fit(x, y)
    np.testing.assert_allclose(partial.predict(x), expected.predict(x), rtol=1e-9)
    np.testing.assert_allclose(partial.loss_curve_, expected.loss_curve_, rtol=1e-9)
    assert (partial.n_iter_, partial.t_) == (100, 100 * len(x))
    cold = small(epochs=40).fit(x, y).fit(x, y)
    np.testing.assert_array_equal(cold.predict(x), small(epochs=40).fit(x, y).predict(x))


def test_every_partial_fit_shuffles_anew(friedman, monkeypatch):
    x, y = friedman
    firsts = []
    batches = Settings.batches

    def spy(settings, epoch, n_samples):
        orders = list(batches(settings, epoch, n_samples))
        firsts.append(tuple(orders[0]))
        return iter(orders)

    monkeypatch.setattr(Settings, "batches", spy)
    estimator = small(batch_size=10, algorithm="reference")
    for _ in range(4):
        estimator.partial_fit(x, y)
    assert len(firsts) == len(set(firsts)) == 4


def test_a_random_state_may_be_a_stream_of_numbers(friedman):
    x, y = friedman
    first, second = (small(epochs=3, random_state=np.random.RandomState(7)).fit(x, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict(x), second.predict(x))
    assert (small(epochs=3, random_state=8).fit(x, y).predict(x) != first.predict(x)).any()
    with pytest.raises(ValueError, match="cannot be used to seed"):
        small(random_state="x").fit(x, y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_early_stopping_keeps_the_best_net_of_the_samples_held_out(friedman, weighted, n_outputs):
    x, y = friedman
    y = y if n_outputs == 1 else np.stack([y, y**2], axis=1)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(x)) if weighted else np.ones(len(x))
    options = {"early_stopping": True, "validation_fraction": 0.25, "patience": 100, "record_every": 10}
    got = small(hidden=60, epochs=4000, **options).fit(x, y, sample_weight=weights if weighted else None)
    assert got.model_.info.stop_reason == "patience"
    assert got.n_iter_ < 4000
    _, x_out, _, y_out, _, weights_out = train_test_split(x, y, weights, test_size=0.25, random_state=0)
    assert got.best_validation_score_ == max(got.validation_scores_)
    assert got.best_loss_ is None
    score = r2_score(y_out, got.predict(x_out), sample_weight=weights_out, multioutput="variance_weighted")
    assert got.best_validation_score_ == pytest.approx(score)
    assert len(got.validation_scores_) == len(got.loss_curve_)


def test_bad_parameters_are_found_in_fit(friedman):
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        small(hidden=0).fit(*friedman)
    with pytest.raises(TypeError, match="early_stopping must be True or False, got 1"):
        small(early_stopping=1).fit(*friedman)
    with pytest.raises(ValueError, match="sample_weight must be at least 0, got -1"):
        small().fit(*friedman, sample_weight=-np.ones(120))


def test_a_number_of_numpy_is_a_number(friedman):
    expected = small(early_stopping=True, validation_fraction=0.25).fit(*friedman)
    got = small(early_stopping=np.True_, validation_fraction=np.float32(0.25), epochs=np.int64(200)).fit(*friedman)
    np.testing.assert_array_equal(got.predict(friedman[0]), expected.predict(friedman[0]))


def test_y_is_not_cast_to_the_dtype_of_x():
    x = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
    y = 1.7e9 + 1000 * x[:, 0].astype(np.float64)
    predicted = FastMLPRegressor(hidden=20, random_state=0).fit(x, y).predict(x)
    assert np.abs(predicted - y).max() < 30  # in float32, 1.7e9 has a resolution of 128


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_dates_are_refused_alone_and_beside_numbers(library):
    frames = pytest.importorskip(library)
    numbers = np.linspace(0, 1, 20)
    dates = np.datetime64("2020-01-01T00:00:00") + np.arange(20).astype("timedelta64[ms]")
    for table in (frames.DataFrame({"t": dates}), frames.DataFrame({"a": numbers, "t": dates})):
        with pytest.raises(
            TypeError, match=r"X must be an array of real numbers, got dtype datetime64\[\w+\] in column 't'"
        ):
            FastMLPRegressor(hidden=5).fit(table, numbers)
    with pytest.raises(TypeError, match="y must be an array of real numbers, got dtype datetime64"):
        FastMLPRegressor(hidden=5).fit(numbers[:, None], frames.DataFrame({"t": dates})["t"])


def test_the_estimator_keeps_the_names_of_inputs_and_target():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": np.linspace(0, 1, 20), "b": [True, False] * 10, "t": np.linspace(0, 1, 20) ** 2})
    estimator = FastMLPRegressor(hidden=5, epochs=5, random_state=0).fit(table[["a", "b"]], table["t"])
    assert estimator.model_.feature_names == ("a", "b")
    assert estimator.model_.target_names == ("t",)
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(table[["b", "a"]])
    both, swapped = table[["t", "a"]], table[["a", "t"]]
    with pytest.raises(ValueError, match=r"the columns of validation y must be .* got 'a' in place of 't'"):
        estimator.fit(table[["a", "b"]], both, validation=(table[["a", "b"]], swapped))


STEPS = {
    "momentum": {"momentum": 0.9, "lr": 0.02},
    "adam": {"optimizer": "adam", "lr": "constant"},
    "a schedule": {"lr": lambda epoch: 0.05 / (1 + epoch)},
    "mini-batches": {"batch_size": 10, "momentum": 0.5, "lr": 0.02},
}


@pytest.mark.parametrize("options", STEPS.values(), ids=STEPS)
def test_partial_fits_and_warm_starts_of_one_epoch_are_one_fit(friedman, options):
    x, y = friedman
    options = {"optimizer": "sgd", "hidden": 12, "random_state": 0, "alpha": 0.0, "tol": None} | options
    whole = FastMLPRegressor(epochs=20, **options).fit(x, y)
    partial = FastMLPRegressor(epochs=20, **options)
    warm = FastMLPRegressor(epochs=1, warm_start=True, **options)
    for _ in range(20):
        partial.partial_fit(x, y)
        warm.fit(x, y)
    for got in (partial, warm):
        np.testing.assert_array_equal(got.coefs_[0], whole.coefs_[0])
        np.testing.assert_array_equal(got.loss_curve_, whole.loss_curve_)
        assert got.t_ == whole.t_ == 20 * len(x)
    again = pickle.loads(pickle.dumps(partial.set_params(lr=0.01))).partial_fit(x, y)
    assert again.t_ == 21 * len(x)


def test_a_seed_of_another_kind_keeps_the_order_of_batches_too(friedman):
    x, y = friedman
    options = {"optimizer": "sgd", "hidden": 5, "batch_size": 10, "lr": 0.02}
    whole = FastMLPRegressor(epochs=3, random_state=np.random.RandomState(3), **options).fit(x, y)
    partial = FastMLPRegressor(random_state=np.random.RandomState(3), **options)
    for _ in range(3):
        partial.partial_fit(x, y)
    np.testing.assert_array_equal(partial.coefs_[0], whole.coefs_[0])


def test_options_that_cannot_be_honoured_are_refused(friedman):
    x, y = friedman
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        small(optimizer="sgd", early_stopping=True).partial_fit(x, y)
    rule = "The validation set is too small: validation_fraction=0.005 of 120 samples holds out 1, and R.2 needs 2"
    with pytest.raises(ValueError, match=rule):
        small(early_stopping=True, validation_fraction=0.005).fit(x, y)
    with pytest.raises(ValueError, match="validation must be at least 2 samples, got 1"):
        small().fit(x, y, validation=(x[:1], y[:1]))
    with pytest.raises(ValueError, match="tol must be at least 0, got -1"):
        small(tol=-1).fit(x, y)


def test_training_that_still_improves_warns(friedman):
    x, y = friedman
    options = {"optimizer": "sgd", "lr": "constant"}
    with pytest.warns(ConvergenceWarning, match="The training ended after 20 epochs while R.2 still rose, by"):
        small(epochs=20, **options).fit(x, y)
    with pytest.warns(ConvergenceWarning, match="Increase epochs, or set tol=None"):
        small(epochs=20, record_every=20, **options).fit(x, y, validation=(x[:40], y[:40]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(epochs=20, tol=None, **options).fit(x, y)
        small(epochs=20, tol=1.0, **options).fit(x, y)
        small(epochs=2, **options).partial_fit(x, y)
        FastMLPRegressor(random_state=0).fit(x, y)  # the defaults suit this table


def test_callbacks_see_trials_at_equal_epochs(friedman):
    x, y = friedman
    seen = []
    estimator = small(epochs=50, callback=lambda info: seen.append((info.epoch, info.val_rmse)), callback_every=20)
    got = estimator.fit(x, y, validation=(x[:40], y[:40]))
    assert [epoch for epoch, _ in seen] == [20, 40, 50]
    assert seen[-1][1] == pytest.approx(got.model_.rmse(x[:40], y[:40]), rel=1e-9)
    stopped = clone(got).set_params(callback=lambda info: True).fit(x, y)
    assert stopped.n_iter_ == 20

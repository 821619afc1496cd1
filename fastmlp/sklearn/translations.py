"""The parameters of scikit-learn's `MLPRegressor` under the names that they have here."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

FIT_NAMES = {
    "hidden_layer_sizes": "hidden, the number of units of the one hidden layer",
    "activation": "negative_slope: the activation is ReLU (0) or leaky ReLU",
    "solver": "optimizer",
    "learning_rate": 'lr, which is a number, "auto", "constant" or a function of the epoch',
    "learning_rate_init": "lr",
    "power_t": "lr, as a function of the epoch",
    "max_iter": "epochs",
    "max_fun": "epochs: an epoch of optimizer='lbfgs' is one accepted step",
    "n_iter_no_change": "patience",
    "nesterovs_momentum": "nesterov",
    "loss": "not needed: the loss is the squared error",
    "shuffle": "not needed: mini-batches are always shuffled",
    "beta_1": "fixed at 0.9",
    "beta_2": "fixed at 0.999",
    "epsilon": "fixed at 1e-8",
}
# Parameters of `MLPRegressor` that `FastMLPRegressor` has too.
SHARED = ("batch_size", "warm_start", "momentum", "early_stopping", "validation_fraction", "tol")
OF_TRAINING = "not needed: L-BFGS trains the networks, and cross-validation chooses the penalty"
CV_NAMES = dict.fromkeys((*FIT_NAMES, *SHARED), OF_TRAINING) | {
    "hidden_layer_sizes": FIT_NAMES["hidden_layer_sizes"],
    "alpha": "alphas, the penalties to try",
    "activation": "always ReLU",
}


def explains_foreign_names(translations: Mapping[str, str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator of ``__init__``.

    A parameter that the estimator does not have, but `MLPRegressor` has, is a TypeError that gives its name here. The
    decorated ``__init__`` keeps its signature, in which scikit-learn finds the parameters.

    Parameters
    ----------
    translations : mapping of str to str
        For a parameter of `MLPRegressor`, its name here and what differs.
    """

    def decorated(init: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(init).parameters

        @functools.wraps(init)
        def checked(self: Any, *args: Any, **parameters: Any) -> None:
            for name in parameters:
                if name not in own and name in translations:
                    here = type(self).__name__
                    raise TypeError(
                        f"{here} has no parameter {name!r} of MLPRegressor; here it is {translations[name]}."
                    )
            init(self, *args, **parameters)

        return checked

    return decorated

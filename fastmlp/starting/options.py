"""The options of a fit, each declared once: name, type, default and documentation.

`fastmlp.fit`, `fastmlp.fit_many`, the estimator of `fastmlp.sklearn` and the command ``fastmlp fit`` take their options
from here. Signatures and docstrings stand in the sources, where editors and type checkers read them;
``scripts/write_options.py`` writes them there after a declaration has changed.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt


def option(default: Any, line: str, details: str = "", *, kind: str = "", annotation: str = "") -> Any:
    """Declare an option.

    Parameters
    ----------
    default : object
        Default value.
    line : str
        One plain line of documentation.
    details : str
        What else the documentation of `fastmlp.fit` says.
    kind : str
        Type in docstrings; derived from the annotation by default.
    annotation : str
        Annotation in signatures where it names a class of a later layer; the field's own by default.
    """
    texts = {"line": line, "details": inspect.cleandoc(details), "kind": kind, "annotation": annotation}
    return field(default=default, metadata=texts)


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The options of `fastmlp.fit` as a caller gives them, not yet checked."""

    hidden: int = option(1000, "Number of hidden units.", "Ignored if `init` is a Model or a tuple of weights.")
    epochs: int = option(
        32000,
        "Number of epochs.",
        "An epoch is one update with all samples or, with `batch_size`, one pass over the samples in mini-batches.",
    )
    lr: float | Mapping[str, float] | Callable[[int], float] | str = option(
        "auto",
        "Learning rate.",
        """
        A mapping gives each of "w1", "b1", "w2" and "b2" its own rate and must name every trained group; 0 freezes a
        group. A callable takes the epoch, counted from 0, and returns its rate. "constant" is 1 / lambda_max, where
        lambda_max is the largest eigenvalue of the objective's Gauss-Newton matrix at the start; this is half of the
        rate above which gradient descent on the linearised network diverges. With `batch_size` it is smaller, since
        the gradient of a batch is less smooth, and with Adam it is 1e-3. "auto" starts
        with this rate, or with a smaller one if there is momentum, and lowers it near the end: to 0.4, 0.15 and 0.03
        of the first rate from 80, 88 and 96 % of the epochs on. A fit that `patience`, `callback` or Ctrl-C ends
        early may not reach these epochs. With "constant", a fit is the start of any longer fit, to the bit. Rates
        apply in the coordinates of the training, which `standardize` chooses.
        """,
        kind='float, mapping, callable, "auto" or "constant"',
    )
    init: Any = option(
        "balanced",
        "Initial weights, or the rule by which they are drawn.",
        """
        The rules draw from a normal distribution with mean 0, and set b2 to 0. "balanced" draws w1, b1 and w2 with
        standard deviation (hidden * (n_in + 1))^(-1/4). "he" draws w1 and w2 with sqrt(2 / fan_in), "glorot" with
        sqrt(2 / (fan_in + fan_out)); both set b1 to 0. A float is the standard deviation of w1, b1 and w2. A tuple
        holds the initial weights, with the shapes of `Model`. With a Model, its training is continued: its
        standardisation, learning rate and slope are kept if `standardize`, `lr` and `negative_slope` have their
        defaults. An automatic rate starts again with its first value, or a smaller one if other samples need it, and
        falls near the end of the new fit.
        """,
        kind='"balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2)',
        annotation="str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]",
    )
    rng: Any = option(
        None,
        "Source of the random numbers, as in `numpy.random.default_rng`.",
        "Initial weights and the order of mini-batches are drawn from it. With None, each call gives another result.",
        kind="None, int, sequence of int, Generator, BitGenerator or SeedSequence",
    )
    standardize: bool | None = option(
        None,
        "Whether to train on standardised inputs and targets.",
        """
        Every column is shifted to mean 0 and scaled to standard deviation 1, both weighted by `sample_weight`. The
        returned weights act on the data as they were given. Inputs are shifted only with a hidden bias and targets
        only with an output bias; otherwise they are scaled to root mean square 1. By default, the data are
        standardised if both `lr` ("auto" or "constant") and `init` ("balanced") are automatic.
        """,
    )
    hidden_bias: bool = option(True, "Whether to train b1; if False, b1 is 0.")
    output_bias: bool = option(True, "Whether to train b2; if False, b2 is 0.")
    negative_slope: float = option(0.0, "Slope of the activation for negative arguments; 0 is ReLU.")
    sample_weight: npt.ArrayLike | None = option(
        None,
        "Weights of the samples, at least 0; all equal by default.",
        """
        Samples of weight 0 are left out before training: `batch_size` and ``model.history.crossings`` refer to the
        others only.
        """,
        kind="array_like of shape (n,) or None",
    )
    optimizer: str = option(
        "sgd",
        'Optimiser, "sgd", "adam", "lbfgs" or "lstsq".',
        """
        "sgd" is gradient descent as in torch.optim.SGD. "adam" is torch.optim.Adam with its default betas and epsilon.
        "lbfgs" is L-BFGS on the whole objective; an epoch is a step that decreases it. It ends by itself when no step
        decreases the objective any more. From drawn weights, it first solves for w2 and b2 with a small ridge. "lstsq"
        keeps w1 and b1 and solves for w2 and b2 by linear least squares, in one epoch. Where they are not unique, they
        change as little as possible. Both compute in float64 and take no `lr`, `momentum` or `batch_size`; "lstsq"
        takes no `patience`, `checkpoint` or `snapshots` either.
        """,
        kind='{"sgd", "adam", "lbfgs", "lstsq"}',
    )
    momentum: float = option(0.0, 'Momentum of "sgd".', "It must be at least 0 and below 1.")
    nesterov: bool = option(False, "Whether to use Nesterov momentum.", "Requires `momentum` above 0.")
    weight_decay: float | Mapping[str, float] = option(
        0.0,
        "Factor of the L2 penalty.",
        """
        `weight_decay` times the parameter is added to the gradient of every weight and bias, as in PyTorch. A mapping
        gives each of "w1", "b1", "w2" and "b2" its own factor; groups that it does not name have no penalty.
        """,
        kind="float or mapping",
    )
    batch_size: int | None = option(
        None,
        "Number of samples in a mini-batch; all samples by default.",
        """
        Every epoch visits all samples in a new order drawn from `rng`, with one update per batch. The gradient of a
        batch is divided by the sum of the weights in that batch. With at least the number of samples there are no
        batches.
        """,
    )
    algorithm: str = option(
        "auto",
        "Engine that trains the network.",
        """
        "univariate" trains networks with one input. Its time per epoch hardly depends on the number of hidden units
        or, with few units, on the number of samples. "dense" is compiled and trains any network. "reference" is plain
        NumPy. The results of the engines agree to rounding as long as the learning rate is stable. "auto" is
        "univariate" for one input and at most 32 outputs without `batch_size`, and "dense" otherwise.
        """,
        kind='{"auto", "univariate", "dense", "reference"}',
    )
    dtype: npt.DTypeLike | None = option(
        None,
        "Floating-point type of the data and of the returned weights.",
        """
        By default, float32 if both x and y are float32, and float64 otherwise. "univariate" always computes in
        float64, and the other engines compute in this type. Standardised columns must not
        have a mean above 4.1e4 times their standard deviation in float32, or 2.7e10 in float64: weights of this type
        cannot represent the shift. Subtract an offset from the column first.
        """,
        kind="numpy.float32, numpy.float64 or None",
    )
    threads: int | None = option(
        None,
        'Number of threads of "dense"; the other engines use one.',
        """
        A given number determines the order of summation, and therefore the last bits of the result. By default, "dense"
        uses all cores if an update is long enough to benefit. Outside the main thread, and in processes that
        multiprocessing or joblib started, the default is one thread, with bitwise the same result.
        """,
    )
    record_every: int | None = option(
        None,
        "Number of epochs between two recorded RMSEs.",
        "By default, the smallest number that gives at most a million records, or a thousand with `validation`.",
    )
    snapshots: Iterable[int] | None = option(
        None,
        "Epochs after which to keep a copy of the model, from 0 to `epochs`.",
        "The copies are in ``model.history.snapshots``.",
        kind="iterable of int or None",
    )
    stop_at_crossing: bool = option(
        False,
        "Whether to stop after the first crossing.",
        """
        A crossing is an update after which a hidden unit has become active or inactive on a sample. Requires the engine
        "univariate".
        """,
    )
    validation: tuple[npt.ArrayLike, ...] | None = option(
        None,
        "Validation samples, which are not trained on.",
        "The RMSE on these samples at the recorded epochs is in ``model.history.val_rmse``.",
        kind="tuple (x, y) or (x, y, sample_weight), or None",
    )
    patience: int | None = option(
        None,
        "Number of epochs without improvement after which training stops.",
        """
        The monitored error is the RMSE on `validation` or, without `validation`, on the training samples. It is checked
        at the recorded epochs. The returned weights are those of the recorded epoch with the lowest RMSE, for any
        reason for stopping. This epoch is ``model.info.best_epoch``.
        """,
    )
    min_delta: float = option(
        0.0,
        "Smallest decrease of the RMSE that counts as an improvement.",
        "The decrease is measured in the units of y, from the RMSE at the last improvement. Requires `patience`.",
    )
    checkpoint: str | os.PathLike[str] | None = option(
        None,
        "File in which to save the state of the training.",
        """
        Each fit needs its own file. A new checkpoint replaces the file only when it is complete. `fastmlp.load` reads
        the model at the time of the checkpoint.
        """,
        kind="str, os.PathLike or None",
    )
    checkpoint_every: float = option(
        60.0,
        "Seconds between two checkpoints.",
        "A last checkpoint is written when training ends.",
    )
    resume: bool = option(
        False,
        "Whether to resume from `checkpoint`, if that file exists.",
        """
        Data, options and the version of fastmlp must be those of the interrupted fit. If `lr` is callable, only its
        first rate is compared; an `rng` of None is not compared. On the same number of cores, the result is bitwise
        that of an uninterrupted fit. Resume only from your own files, because the contents are trusted.
        """,
    )
    callback: Callable[[Any], bool | None] | None = option(
        None,
        "Function to call during training.",
        """
        It is called with a `CallbackInfo`, which has the RMSE, the validation RMSE and the model. If it returns True,
        training stops. Its exceptions propagate to the caller of `fit`.
        """,
        kind="callable or None",
        annotation="Callable[[CallbackInfo], bool | None] | None",
    )
    callback_every: int | None = option(
        None,
        "Number of epochs between two calls of `callback`.",
        """
        It is called at the multiples of this number and at the last epoch, so that several fits can be compared at
        equal epochs. By default, it is called every 50 to 100 ms, and more often at the start. Requires `callback`.
        """,
    )
    progress: bool | None = option(
        None,
        "Whether to show a progress bar.",
        "By default, a bar is shown on a terminal if the fit takes longer than about two seconds.",
    )

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

    hidden: int = option(1000, "Number of hidden units.", "Ignored when `init` gives weights.")
    epochs: int = option(
        32000,
        "Number of epochs.",
        "An epoch is one update, or one pass over the samples with `batch_size`.",
    )
    lr: float | Mapping[str, float] | Callable[[int], float] | str = option(
        "auto",
        "Learning rate.",
        """
        A mapping gives each of "w1", "b1", "w2" and "b2" its own rate and must name every trained group; 0 freezes a
        group. A callable takes the epoch, counted from 0, and returns its rate. "auto" is 1 / lambda_max, where
        lambda_max is the largest eigenvalue of the objective's Gauss-Newton matrix at the start; this is half of the
        rate above which gradient descent on the linearised network diverges. With Adam, "auto" is 1e-3. Rates apply
        in the coordinates of the training, which `standardize` chooses.
        """,
        kind='float, mapping, callable or "auto"',
    )
    init: Any = option(
        "balanced",
        "Initial weights, or the rule by which they are drawn.",
        """
        "balanced" draws w1, b1 and w2 from a normal distribution of standard deviation (hidden * (n_in + 1))^(-1/4).
        "he" draws w1 and w2 with standard deviation sqrt(2 / fan_in), "glorot" with sqrt(2 / (fan_in + fan_out)); the
        biases are 0. A float is the standard deviation of w1, b1 and w2. In all these cases b2 starts at 0. A tuple
        gives the weights, shaped as those of a Model. A Model continues its training: if `standardize`, `lr` and
        `negative_slope` are left at their defaults, its coordinates, rate and slope are kept.
        """,
        kind='"balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2)',
        annotation="str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]",
    )
    rng: Any = option(
        None,
        "Source of the random numbers, as in `numpy.random.default_rng`.",
        "Initial weights and mini-batches are drawn from it. With None, every call gives another result.",
        kind="None, int, sequence of int, Generator, BitGenerator or SeedSequence",
    )
    standardize: bool | None = option(
        None,
        "Whether to train on standardised inputs and targets.",
        """
        Every column is shifted to mean 0 and scaled to standard deviation 1, both weighted by `sample_weight`. The
        returned weights act on the data as they were given. Inputs are shifted only with a hidden bias and targets
        only with an output bias; otherwise they are scaled to root mean square 1. By default, the data are
        standardised if both `lr` and `init` are automatic ("auto" and "balanced").
        """,
    )
    hidden_bias: bool = option(True, "Whether to train b1; if not, it is 0.")
    output_bias: bool = option(True, "Whether to train b2; if not, it is 0.")
    negative_slope: float = option(0.0, "Slope of the activation below 0; 0 is ReLU.")
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
        'Optimiser, "sgd" or "adam".',
        """
        "sgd" is gradient descent as in torch.optim.SGD. "adam" is torch.optim.Adam with its default betas and epsilon.
        """,
        kind='{"sgd", "adam"}',
    )
    momentum: float = option(0.0, 'Heavy-ball momentum of "sgd".', "At least 0 and below 1.")
    nesterov: bool = option(False, "Whether to use Nesterov momentum.", "Requires `momentum` above 0.")
    weight_decay: float = option(
        0.0,
        "Factor of the L2 penalty.",
        "The penalty is added to the gradient, for weights and biases alike, as in PyTorch.",
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
        "univariate" trains networks of one input; the time per epoch hardly depends on the width or, with few units,
        on the number of samples. "dense" is compiled and trains any network. "reference" is plain NumPy. They agree
        to rounding as long as the rate is stable. "auto" is "univariate" for one input and at most 32 outputs without
        `batch_size`, and "dense" otherwise.
        """,
        kind='{"auto", "univariate", "dense", "reference"}',
    )
    dtype: npt.DTypeLike | None = option(
        None,
        "Floating-point type of the data and of the returned weights.",
        """
        By default, float32 if both x and y are float32, and float64 otherwise. "univariate" always computes in float64,
        the other engines in this type. Weights in float32 cannot represent a large offset of x: an offset of 1e5 times
        the spread of x can add several percent to the RMSE, and one of 1e6 times can multiply it. Subtract it first.
        """,
        kind="numpy.float32, numpy.float64 or None",
    )
    threads: int | None = option(
        None,
        'Number of threads of "dense"; the other engines use one.',
        """
        Setting it changes the order of summation and so the last bits. By default, "dense" uses as many threads as
        there are cores if an update is long enough to benefit. Outside the main thread, and in processes started by
        multiprocessing or joblib, it uses one thread, which gives the same bits.
        """,
    )
    record_every: int | None = option(
        None,
        "Number of epochs between two recorded RMSEs.",
        "By default, the smallest that gives at most a million records, or at most a thousand with `validation`.",
    )
    snapshots: Iterable[int] | None = option(
        None,
        "Epochs, from 0 to `epochs`, after which to keep a copy of the model.",
        "``model.history.snapshots`` holds the copies.",
        kind="iterable of int or None",
    )
    stop_at_crossing: bool = option(
        False,
        "Whether to stop after the first update that changes the set of active samples of a unit.",
        'Requires the algorithm "univariate".',
    )
    validation: tuple[npt.ArrayLike, ...] | None = option(
        None,
        "Validation samples, which are not trained on.",
        "``model.history.val_rmse`` holds the RMSE on them at the recorded epochs.",
        kind="tuple (x, y) or (x, y, sample_weight), or None",
    )
    patience: int | None = option(
        None,
        "Number of epochs without improvement after which training stops.",
        """
        The RMSE on `validation` has to improve, or without `validation` the RMSE on the training samples. It is checked
        at recorded epochs. The weights of the recorded epoch with the lowest RMSE are returned, however training ends;
        ``model.info.best_epoch`` is that epoch.
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
        Every fit needs a file of its own. The file is replaced as a whole and so is always complete. `fastmlp.load`
        reads the model so far from it.
        """,
        kind="str, os.PathLike or None",
    )
    checkpoint_every: float = option(
        60.0,
        "Seconds between two checkpoints.",
        "The last checkpoint is written when training ends.",
    )
    resume: bool = option(
        False,
        "Whether to resume from `checkpoint`, if that file exists.",
        """
        On the same number of cores, the result is bitwise that of an uninterrupted training. Data, options and the
        version of fastmlp must be the same. Of a callable `lr` only the first rate is compared; an `rng` of None is not
        compared. The contents are trusted: resume only from your own files.
        """,
    )
    callback: Callable[[Any], bool | None] | None = option(
        None,
        "Function to call while training.",
        """
        It takes a `CallbackInfo` and is called after every chunk of epochs. A chunk takes 50 to 100 ms, less at the
        start and before snapshots. Training stops when the function returns True. Its exceptions propagate.
        """,
        kind="callable or None",
        annotation="Callable[[CallbackInfo], bool | None] | None",
    )
    progress: bool | None = option(
        None,
        "Whether to show a progress bar.",
        "By default, a bar is shown on a terminal if the fit takes longer than about two seconds.",
    )

"""`fit`, which trains a network, and `warmup`, which compiles all kernels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp.engines.engine import Rates, Settings
from fastmlp.models.model import Model
from fastmlp.pipeline import configured, train
from fastmlp.starting.options import FitOptions
from fastmlp.training.callback import CallbackInfo


def fit(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    hidden: int = 1000,
    epochs: int = 32000,
    lr: float | Mapping[str, float] | Callable[[int], float] | str = "auto",
    init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
    rng: Any = None,
    standardize: bool | None = None,
    hidden_bias: bool = True,
    output_bias: bool = True,
    negative_slope: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    batch_size: int | None = None,
    algorithm: str = "auto",
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    record_every: int | None = None,
    snapshots: Iterable[int] | None = None,
    stop_at_crossing: bool = False,
    validation: tuple[npt.ArrayLike, ...] | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 60.0,
    resume: bool = False,
    callback: Callable[[CallbackInfo], bool | None] | None = None,
    progress: bool | None = None,
) -> Model:
    """Train a two-layer ReLU network by gradient descent.

    The network is ``h2 = act(x w1 + b1) w2 + b2`` with ``act(z) = z if z > 0 else negative_slope * z``. The objective
    is ``1 / (2 sum s) * sum_i s_i |h2_i - y_i|^2`` with the sample weights s. Every epoch updates all parameters at
    once: ``p <- p - lr * d objective / d p``, or as the optimiser says.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs.
        Any array that `numpy.asarray` turns into real numbers. It is not modified.
    y : array_like of shape (n,) or (n, n_out)
        Targets.
        `Model.predict` returns arrays of as many dimensions.
    hidden : int, default 1000
        Number of hidden units.
        Ignored when `init` gives weights.
    epochs : int, default 32000
        Number of epochs.
        An epoch is one update, or one pass over the samples with `batch_size`.
    lr : float, mapping, callable or "auto", default "auto"
        Learning rate.
        A mapping gives each of "w1", "b1", "w2" and "b2" its own rate and must name every trained group; 0 freezes a
        group. A callable takes the epoch, counted from 0, and returns its rate. "auto" is 1 / lambda_max, where
        lambda_max is the largest eigenvalue of the objective's Gauss-Newton matrix at the start; this is half of the
        rate above which gradient descent on the linearised network diverges. With Adam, "auto" is 1e-3. Rates apply
        in the coordinates of the training, which `standardize` chooses.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        Initial weights, or the rule by which they are drawn.
        "balanced" draws w1, b1 and w2 from a normal distribution of standard deviation (hidden * (n_in + 1))^(-1/4).
        "he" draws w1 and w2 with standard deviation sqrt(2 / fan_in), "glorot" with sqrt(2 / (fan_in + fan_out)); the
        biases are 0. A float is the standard deviation of w1, b1 and w2. In all these cases b2 starts at 0. A tuple
        gives the weights, shaped as those of a Model. A Model continues its training: if `standardize`, `lr` and
        `negative_slope` are left at their defaults, its coordinates, rate and slope are kept.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Source of the random numbers, as in `numpy.random.default_rng`.
        Initial weights and mini-batches are drawn from it. With None, every call gives another result.
    standardize : bool or None, default None
        Whether to train on standardised inputs and targets.
        Every column is shifted to mean 0 and scaled to standard deviation 1, both weighted by `sample_weight`. The
        returned weights act on the data as they were given. Inputs are shifted only with a hidden bias and targets
        only with an output bias; otherwise they are scaled to root mean square 1. By default, the data are
        standardised if both `lr` and `init` are automatic ("auto" and "balanced").
    hidden_bias : bool, default True
        Whether to train b1; if not, it is 0.
    output_bias : bool, default True
        Whether to train b2; if not, it is 0.
    negative_slope : float, default 0.0
        Slope of the activation below 0; 0 is ReLU.
    sample_weight : array_like of shape (n,) or None, default None
        Weights of the samples, at least 0; all equal by default.
        Samples of weight 0 are left out before training: `batch_size` and ``model.history.crossings`` refer to the
        others only.
    optimizer : {"sgd", "adam"}, default "sgd"
        Optimiser, "sgd" or "adam".
        "sgd" is gradient descent as in torch.optim.SGD. "adam" is torch.optim.Adam with its default betas and epsilon.
    momentum : float, default 0.0
        Heavy-ball momentum of "sgd".
        At least 0 and below 1.
    nesterov : bool, default False
        Whether to use Nesterov momentum.
        Requires `momentum` above 0.
    weight_decay : float, default 0.0
        Factor of the L2 penalty.
        The penalty is added to the gradient, for weights and biases alike, as in PyTorch.
    batch_size : int or None, default None
        Number of samples in a mini-batch; all samples by default.
        Every epoch visits all samples in a new order drawn from `rng`, with one update per batch. The gradient of a
        batch is divided by the sum of the weights in that batch. With at least the number of samples there are no
        batches.
    algorithm : {"auto", "univariate", "dense", "reference"}, default "auto"
        Engine that trains the network.
        "univariate" trains networks of one input; the time per epoch hardly depends on the width or, with few units,
        on the number of samples. "dense" is compiled and trains any network. "reference" is plain NumPy. They agree
        to rounding as long as the rate is stable. "auto" is "univariate" for one input and at most 32 outputs without
        `batch_size`, and "dense" otherwise.
    dtype : numpy.float32, numpy.float64 or None, default None
        Floating-point type of the data and of the returned weights.
        By default, float32 if both x and y are float32, and float64 otherwise. "univariate" always computes in float64,
        the other engines in this type. Weights in float32 cannot represent a large offset of x: an offset of 1e5 times
        the spread of x can add several percent to the RMSE, and one of 1e6 times can multiply it. Subtract it first.
    threads : int or None, default None
        Number of threads of "dense"; the other engines use one.
        Setting it changes the order of summation and so the last bits. By default, "dense" uses as many threads as
        there are cores if an update is long enough to benefit. Outside the main thread, and in processes started by
        multiprocessing or joblib, it uses one thread, which gives the same bits.
    record_every : int or None, default None
        Number of epochs between two recorded RMSEs.
        By default, the smallest that gives at most a million records, or at most a thousand with `validation`.
    snapshots : iterable of int or None, default None
        Epochs, from 0 to `epochs`, after which to keep a copy of the model.
        ``model.history.snapshots`` holds the copies.
    stop_at_crossing : bool, default False
        Whether to stop after the first update that changes the set of active samples of a unit.
        Requires the algorithm "univariate".
    validation : tuple (x, y) or (x, y, sample_weight), or None, default None
        Validation samples, which are not trained on.
        ``model.history.val_rmse`` holds the RMSE on them at the recorded epochs.
    patience : int or None, default None
        Number of epochs without improvement after which training stops.
        The RMSE on `validation` has to improve, or without `validation` the RMSE on the training samples. It is checked
        at recorded epochs. The weights of the recorded epoch with the lowest RMSE are returned, however training ends;
        ``model.info.best_epoch`` is that epoch.
    min_delta : float, default 0.0
        Smallest decrease of the RMSE that counts as an improvement.
        The decrease is measured in the units of y, from the RMSE at the last improvement. Requires `patience`.
    checkpoint : str, os.PathLike or None, default None
        File in which to save the state of the training.
        Every fit needs a file of its own. The file is replaced as a whole and so is always complete. `fastmlp.load`
        reads the model so far from it.
    checkpoint_every : float, default 60.0
        Seconds between two checkpoints.
        The last checkpoint is written when training ends.
    resume : bool, default False
        Whether to resume from `checkpoint`, if that file exists.
        On the same number of cores, the result is bitwise that of an uninterrupted training. Data, options and the
        version of fastmlp must be the same. Of a callable `lr` only the first rate is compared; an `rng` of None is not
        compared. The contents are trusted: resume only from your own files.
    callback : callable or None, default None
        Function to call while training.
        It takes a `CallbackInfo` and is called after every chunk of epochs. A chunk takes 50 to 100 ms, less at the
        start and before snapshots. Training stops when the function returns True. Its exceptions propagate.
    progress : bool or None, default None
        Whether to show a progress bar.
        By default, a bar is shown on a terminal if the fit takes longer than about two seconds.

    Returns
    -------
    Model
        The trained network with its ``history`` and ``info``.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or if `checkpoint` belongs to another call. Nothing is computed in
        that case.
    FileFormatError
        If the file to resume from is damaged.
    OSError
        If the checkpoint cannot be written. The previous checkpoint remains.
    MemoryError
        If a size needs more memory than this machine has.
    DivergenceError
        If the squared error or a weight becomes infinite or undefined. An RMSE above 1e154 in the units of the training
        counts as infinite, because its square overflows; in float32, an RMSE or a weight above 3e38 does. The error has
        the last finite model.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C ended the training. The model so far is returned.

    Notes
    -----
    On sin(x) at 100 points and with all other options at their defaults, gradient descent reaches an RMSE of 1e-3, and
    momentum 0.9 reaches 1e-4 (below 2e-4 for each of the seeds 0 to 9). Adam reaches 5e-5 if its rate falls from 3e-3
    to 0; at a constant rate its RMSE rises to 1e-2 from time to time. With one input, an epoch takes 1.1 us for plain
    gradient descent, 6 us with momentum and 11 us with Adam, because momentum and Adam update every unit by a map of
    its own. In one second, gradient descent reaches 7e-5, momentum 5e-5 and Adam with a falling rate 3e-5.
    ``scripts/compare_optimizers.py`` makes this table.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> x = np.linspace(-np.pi, np.pi, 100)
    >>> model = fastmlp.fit(x, np.sin(x), hidden=100, epochs=2000, rng=0)
    >>> model.history.rmse[-1] < 0.05
    np.True_
    """
    options = FitOptions(
        hidden=hidden,
        epochs=epochs,
        lr=lr,
        init=init,
        rng=rng,
        standardize=standardize,
        hidden_bias=hidden_bias,
        output_bias=output_bias,
        negative_slope=negative_slope,
        sample_weight=sample_weight,
        optimizer=optimizer,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        batch_size=batch_size,
        algorithm=algorithm,
        dtype=dtype,
        threads=threads,
        record_every=record_every,
        snapshots=snapshots,
        stop_at_crossing=stop_at_crossing,
        validation=validation,
        patience=patience,
        min_delta=min_delta,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        resume=resume,
        callback=callback,
        progress=progress,
    )
    return train(configured(x, y, options))


def warmup() -> None:
    """Compile every kernel for both dtypes and store the machine code in the compile cache.

    This takes about two minutes if the cache is empty. Afterwards `fit` compiles nothing, except for networks of one
    input and several outputs.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.warmup()  # doctest: +SKIP
    """
    from fastmlp.engines.dense.choice import each_kernel
    from fastmlp.engines.dense.gauss_newton import compile_product
    from fastmlp.engines.univariate.engine import each_univariate_kernel
    from fastmlp.engines.univariate.outputs import compile_outputs

    compile_outputs()
    compile_product()
    plain = Settings(Rates(0.0, 0.0, 0.0, 0.0))
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        for settings in (plain, replace(plain, optimizer="adam")):
            for engine, shape in (*each_kernel(), *each_univariate_kernel()):
                engine.compile(shape, dtype, settings)

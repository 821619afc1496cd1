"""`fit`, which trains a network, and `warmup`, which compiles all kernels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp.compiled.cache import is_interpreted
from fastmlp.compiled.shipped import library
from fastmlp.engines.engine import Rates, Settings, Shape
from fastmlp.models.model import Model
from fastmlp.pipeline import configured, train
from fastmlp.starting.options import FitOptions
from fastmlp.training.callback import CallbackInfo
from fastmlp.training.progress import Activity


def fit(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    hidden: int = 1000,
    epochs: int = 32000,
    lr: float | Mapping[str, float] | Callable[[int], float] | str = "auto",
    init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
    rng: Any | None = None,
    standardize: bool | None = None,
    hidden_bias: bool = True,
    output_bias: bool = True,
    negative_slope: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float | Mapping[str, float] = 0.0,
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
    callback_every: int | None = None,
    progress: bool | None = None,
) -> Model:
    """Train a two-layer ReLU network by gradient descent.

    The network is ``h2 = act(x w1 + b1) w2 + b2`` with ``act(z) = z if z > 0 else negative_slope * z``. The objective
    is ``1 / (2 sum s) * sum_i s_i |h2_i - y_i|^2`` with the sample weights s. By default, every epoch updates all
    parameters p at once: ``p <- p - lr * d objective / d p``.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs.
        Finite real numbers: an array, anything that `numpy.asarray` converts, or a data frame. The model keeps the
        names of the columns of data frames of pandas, polars and Arrow in `feature_names`. Data are not modified.
    y : array_like of shape (n,) or (n, n_out)
        Targets.
        Predictions of the model have the same number of dimensions as y. The names of the columns of a data frame, or
        of a series, are kept in `target_names`. A target that is constant, up to rounding, is the prediction
        everywhere if the data are standardised.
    hidden : int, default 1000
        Number of hidden units.
        Ignored if `init` is a Model or a tuple of weights.
    epochs : int, default 32000
        Number of epochs.
        An epoch is one update with all samples or, with `batch_size`, one pass over the samples in mini-batches.
    lr : float, mapping, callable, "auto" or "constant", default "auto"
        Learning rate.
        A mapping gives each of "w1", "b1", "w2" and "b2" its own rate and must name every trained group; 0 freezes a
        group. A callable takes the epoch, counted from 0, and returns its rate. "constant" is 1 / lambda_max, where
        lambda_max is the largest eigenvalue of the objective's Gauss-Newton matrix at the start; this is half of the
        rate above which gradient descent on the linearised network diverges. With `batch_size` it is smaller, since
        the gradient of a batch is less smooth, and with Adam it is 1e-3. "auto" starts
        with this rate, or with a smaller one if there is momentum, and lowers it near the end: to 0.4, 0.15 and 0.03
        of the first rate from 80, 88 and 96 % of the epochs on. A fit that `patience`, `callback` or Ctrl-C ends
        early may not reach these epochs. With "constant", a fit is the start of any longer fit, to the bit. Rates
        apply in the coordinates of the training, which `standardize` chooses.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        Initial weights, or the rule by which they are drawn.
        The rules draw from a normal distribution with mean 0, and set b2 to 0. "balanced" draws w1, b1 and w2 with
        standard deviation (hidden * (n_in + 1))^(-1/4). "he" draws w1 and w2 with sqrt(2 / fan_in), "glorot" with
        sqrt(2 / (fan_in + fan_out)); both set b1 to 0. A float is the standard deviation of w1, b1 and w2. A tuple
        holds the initial weights, with the shapes of `Model`. With a Model, its training is continued: its
        standardisation, learning rate and slope are kept if `standardize`, `lr` and `negative_slope` have their
        defaults. An automatic rate starts again with its first value, or a smaller one if other samples need it, and
        falls near the end of the new fit.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Source of the random numbers, as in `numpy.random.default_rng`.
        Initial weights and the order of mini-batches are drawn from it. With None, each call gives another result.
    standardize : bool or None, default None
        Whether to train on standardised inputs and targets.
        Every column is shifted to mean 0 and scaled to standard deviation 1, both weighted by `sample_weight`. The
        returned weights act on the data as they were given. Inputs are shifted only with a hidden bias and targets
        only with an output bias; otherwise they are scaled to root mean square 1. By default, the data are
        standardised if both `lr` ("auto" or "constant") and `init` ("balanced") are automatic.
    hidden_bias : bool, default True
        Whether to train b1; if False, b1 is 0.
    output_bias : bool, default True
        Whether to train b2; if False, b2 is 0.
    negative_slope : float, default 0.0
        Slope of the activation for negative arguments; 0 is ReLU.
    sample_weight : array_like of shape (n,) or None, default None
        Weights of the samples, at least 0; all equal by default.
        Samples of weight 0 are left out before training: `batch_size` and ``model.history.crossings`` refer to the
        others only.
    optimizer : {"sgd", "adam", "lbfgs", "lstsq"}, default "sgd"
        Optimiser, "sgd", "adam", "lbfgs" or "lstsq".
        "sgd" is gradient descent as in torch.optim.SGD. "adam" is torch.optim.Adam with its default betas and epsilon.
        "lbfgs" is L-BFGS on the whole objective; an epoch is a step that decreases it. It ends by itself when no step
        decreases the objective any more. From drawn weights, it first solves for w2 and b2 with a small ridge. "lstsq"
        keeps w1 and b1 and solves for w2 and b2 by linear least squares, in one epoch. Where they are not unique, they
        change as little as possible. Both compute in float64 and take no `lr`, `momentum` or `batch_size`; "lstsq"
        takes no `patience`, `checkpoint` or `snapshots` either.
    momentum : float, default 0.0
        Momentum of "sgd".
        It must be at least 0 and below 1.
    nesterov : bool, default False
        Whether to use Nesterov momentum.
        Requires `momentum` above 0.
    weight_decay : float or mapping, default 0.0
        Factor of the L2 penalty.
        `weight_decay` times the parameter is added to the gradient of every weight and bias, as in PyTorch. A mapping
        gives each of "w1", "b1", "w2" and "b2" its own factor; groups that it does not name have no penalty.
    batch_size : int or None, default None
        Number of samples in a mini-batch; all samples by default.
        Every epoch visits all samples in a new order drawn from `rng`, with one update per batch. The gradient of a
        batch is divided by the sum of the weights in that batch. With at least the number of samples there are no
        batches.
    algorithm : {"auto", "univariate", "dense", "reference"}, default "auto"
        Engine that trains the network.
        "univariate" trains networks with one input. Its time per epoch hardly depends on the number of hidden units
        or, with few units, on the number of samples. "dense" is compiled and trains any network. "reference" is plain
        NumPy. The results of the engines agree to rounding as long as the learning rate is stable. "auto" is
        "univariate" for one input and at most 32 outputs without `batch_size`, and "dense" otherwise.
    dtype : numpy.float32, numpy.float64 or None, default None
        Floating-point type of the data and of the returned weights.
        By default, float32 if both x and y are float32, and float64 otherwise. "univariate" always computes in
        float64, and the other engines compute in this type. Standardised columns must not
        have a mean above 4.1e4 times their standard deviation in float32, or 2.7e10 in float64: weights of this type
        cannot represent the shift. Subtract an offset from the column first.
    threads : int or None, default None
        Number of threads of "dense"; the other engines use one.
        A given number determines the order of summation, and therefore the last bits of the result. By default, "dense"
        uses all cores if an update is long enough to benefit. Outside the main thread, and in processes that
        multiprocessing or joblib started, the default is one thread, with bitwise the same result.
    record_every : int or None, default None
        Number of epochs between two recorded RMSEs.
        By default, the smallest number that gives at most a million records, or a thousand with `validation`.
    snapshots : iterable of int or None, default None
        Epochs after which to keep a copy of the model, from 0 to `epochs`.
        The copies are in ``model.history.snapshots``.
    stop_at_crossing : bool, default False
        Whether to stop after the first crossing.
        A crossing is an update after which a hidden unit has become active or inactive on a sample. Requires the engine
        "univariate".
    validation : tuple (x, y) or (x, y, sample_weight), or None, default None
        Validation samples, which are not trained on.
        The RMSE on these samples at the recorded epochs is in ``model.history.val_rmse``.
    patience : int or None, default None
        Number of epochs without improvement after which training stops.
        The monitored error is the RMSE on `validation` or, without `validation`, on the training samples. It is checked
        at the recorded epochs. The returned weights are those of the recorded epoch with the lowest RMSE, for any
        reason for stopping. This epoch is ``model.info.best_epoch``.
    min_delta : float, default 0.0
        Smallest decrease of the RMSE that counts as an improvement.
        The decrease is measured in the units of y, from the RMSE at the last improvement. Requires `patience`.
    checkpoint : str, os.PathLike or None, default None
        File in which to save the state of the training.
        Each fit needs its own file. A new checkpoint replaces the file only when it is complete. `fastmlp.load` reads
        the model at the time of the checkpoint.
    checkpoint_every : float, default 60.0
        Seconds between two checkpoints.
        A last checkpoint is written when training ends.
    resume : bool, default False
        Whether to resume from `checkpoint`, if that file exists.
        Data, options and the version of fastmlp must be those of the interrupted fit. If `lr` is callable, only its
        first rate is compared; an `rng` of None is not compared. On the same number of cores, the result is bitwise
        that of an uninterrupted fit. Resume only from your own files, because the contents are trusted.
    callback : callable or None, default None
        Function to call during training.
        It is called with a `CallbackInfo`, which has the RMSE, the validation RMSE and the model. If it returns True,
        training stops. Its exceptions propagate to the caller of `fit`.
    callback_every : int or None, default None
        Number of epochs between two calls of `callback`.
        It is called at the multiples of this number and at the last epoch, so that several fits can be compared at
        equal epochs. By default, it is called every 50 to 100 ms, and more often at the start. Requires `callback`.
    progress : bool or None, default None
        Whether to show a progress bar.
        By default, a bar is shown on a terminal if the fit takes longer than about two seconds.

    Returns
    -------
    Model
        The trained network, with the history of its training in ``history`` and its facts in ``info``.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value, or if `checkpoint` belongs to another call. Nothing is computed in
        that case.
    FileFormatError
        If the checkpoint to resume from is damaged.
    OSError
        If the checkpoint cannot be written. The previous checkpoint is kept.
    MemoryError
        If the fit needs more memory than is available. The message says how much, and how long the fit would take.
    KeyboardInterrupt
        If Ctrl-C was pressed before the first epoch was done.
    DivergenceError
        If the squared error or a weight becomes infinite or undefined. An RMSE above 1e154 in the units of the training
        counts as infinite, because its square overflows; in float32, an RMSE or a weight above 3e38 does. The error has
        the last finite model.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C ended the training after the first epoch. The model trained so far is returned.
        If, without `patience`, the last RMSE is more than twice the lowest, and above 1e-6 of y's standard deviation.

    See Also
    --------
    fit_cv : Train small networks with a cross-validated penalty.
    fit_many : Train many networks in parallel.
    fastmlp.sklearn.FastMLPRegressor : Scikit-learn estimator.

    Notes
    -----
    The optimisers were compared on sin(x) at 100 points, with all other options at their defaults. After 32,000 epochs,
    gradient descent reaches an RMSE of 1.2e-3, momentum 0.9 reaches 4e-4 (below 6e-4 for each of the seeds 0 to 9), and
    Adam reaches 1.1e-4, or 6e-5 if its learning rate decays from 3e-3 to 0. At a constant rate, the RMSE of Adam rises
    to 1e-2 from time to time.

    With one input, an epoch takes 1.1 us with gradient descent, 6 us with momentum and 11 us with Adam, because
    momentum and Adam update every unit individually. Gradient descent reaches 9e-5 in 700,000 epochs, momentum 2e-4 in
    90,000, and Adam with a decaying rate 3e-5 in 36,000. ``scripts/compare_optimizers.py`` repeats this comparison.

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
        callback_every=callback_every,
        progress=progress,
    )
    return train(configured(x, y, options))


def warmup() -> None:
    """Compile all kernels in float32 and float64, and store them in the compile cache.

    A kernel that was shipped with the package is not compiled. To compile all kernels takes about two minutes.
    Afterwards, `fit` compiles only for networks with one input and several outputs.

    Warns
    -----
    RuntimeWarning
        If no folder for the compile cache can be written, so that other processes will compile again.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.warmup()  # doctest: +SKIP
    """
    from fastmlp.engines.dense.choice import each_kernel
    from fastmlp.engines.dense.gauss_newton import compile_product
    from fastmlp.engines.knots.solving import compile_kernels
    from fastmlp.engines.lbfgs.choice import each_kernel as each_lbfgs_kernel
    from fastmlp.engines.lstsq.ridge_start import compile_start
    from fastmlp.engines.lstsq.univariate import UnivariateLeastSquares
    from fastmlp.engines.net_batches.batch import compile_batches
    from fastmlp.engines.univariate.engine import each_univariate_kernel
    from fastmlp.engines.univariate.outputs import compile_outputs

    _warn_without_cache()
    with Activity(None) as activity:
        activity.begin("compiling all kernels")
        compile_kernels()
        compile_outputs()
        compile_product()
        compile_batches()
        compile_start()
        plain = Settings(Rates(0.0, 0.0, 0.0, 0.0))
        for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
            for settings in (plain, replace(plain, optimizer="adam")):
                for engine, shape in (*each_kernel(), *each_univariate_kernel()):
                    engine.compile(shape, dtype, settings)
        for engine, shape in each_lbfgs_kernel():
            engine.compile(shape, np.dtype(np.float64), replace(plain, optimizer="lbfgs"))
        UnivariateLeastSquares.compile(Shape(1, 1, 1, 1), np.dtype(np.float64), replace(plain, optimizer="lstsq"))


def _warn_without_cache() -> None:
    """Warn if kernels are to be compiled, and cannot be kept."""
    if is_interpreted() or library().level is not None:
        return
    from fastmlp.compiled.compiling import cache_folder
    from fastmlp.engines.univariate.outputs import evaluate

    if cache_folder(evaluate) is None:
        message = "No folder for the compile cache can be written: this process keeps no kernel for others."
        warnings.warn(f"{message} Set NUMBA_CACHE_DIR to a folder that can be.", RuntimeWarning, stacklevel=3)

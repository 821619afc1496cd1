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
from fastmlp.training.watching import CallbackInfo


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

    The net is ``h2 = act(x w1 + b1) w2 + b2`` with ``act(z) = z if z > 0 else negative_slope * z``. Every epoch updates
    all parameters at once, ``p <- p - lr * d objective / d p`` unless an optimiser says otherwise, for the objective
    ``1 / (2 sum s) * sum_i s_i |h2_i - y_i|^2`` with the sample weights s.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs: anything that `numpy.asarray` makes real numbers of. Never changed.
    y : array_like of shape (n,) or (n, n_out)
        Targets, likewise. `Model.predict` answers in as many dimensions.
    hidden : int, default 1000
        Number of hidden units; ignored when `init` holds weights.
    epochs : int, default 32000
        Number of updates.
    lr : float, mapping, callable or "auto", default "auto"
        Learning rate, in the coordinates trained in. A mapping gives "w1", "b1", "w2", "b2" a rate each and names every
        trained group; 0 freezes a group. A callable is asked for the rate of each epoch, counted from 0. "auto" is
        1 / lambda_max of the objective's Gauss-Newton matrix at the start: half of the rate above which gradient
        descent on the linearised net diverges; with Adam 1e-3.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        "balanced": w1, b1, w2 normal with standard deviation (hidden * (n_in + 1))^(-1/4). "he": sqrt(2 / fan_in) and
        zero biases; "glorot": sqrt(2 / (fan_in + fan_out)) and zero biases. A float: normal with that deviation for w1,
        b1 and w2. b2 starts at 0. A Model, or a tuple of arrays shaped as the model's, is where training starts. A
        Model goes on in the coordinates, at the rate and with the slope that it was trained with wherever
        `standardize`, `lr` and `negative_slope` are left at their defaults.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Where initial weights come from, as in `numpy.random.default_rng`; None is fresh entropy.
    standardize : bool or None, default None
        Whether to train on inputs and targets of weighted mean 0 and standard deviation 1 per column and fold the maps
        into the returned weights. None means yes when both `lr` and `init` are automatic ("auto" and "balanced"), and
        no otherwise. Inputs are shifted only with a hidden bias, targets only with an output bias; otherwise they are
        scaled to root mean square 1.
    hidden_bias, output_bias : bool, default True
        Whether b1 and b2 are trained; otherwise they are 0.
    negative_slope : float, default 0.0
        The slope of the activation below 0.
    sample_weight : array_like of shape (n,), optional
        Weights of the samples, at least 0; ones by default.
    optimizer : {"sgd", "adam"}, default "sgd"
        "sgd" is gradient descent as in torch.optim.SGD, "adam" is torch.optim.Adam with its default betas and epsilon.
    momentum : float, default 0.0
        Heavy-ball momentum of "sgd", from 0 up to 1, not included.
    nesterov : bool, default False
        Whether the momentum is Nesterov's, which needs `momentum` above 0.
    weight_decay : float, default 0.0
        L2 penalty added to the gradient, of weights and biases alike, as PyTorch does.
    batch_size : int, optional
        Samples in a mini-batch. Every epoch takes all samples in a fresh order drawn from `rng`, an update per batch;
        each batch divides by its own weights' sum. None, or at least the number of samples: all of them at once.
    algorithm : {"auto", "univariate", "dense", "reference"}, default "auto"
        The engine. "univariate" takes nets of one input, at a cost per epoch that depends little on the width, and not
        on the number of samples where units are few. "dense" takes any net and is compiled too; "reference" is NumPy.
        They agree to rounding, as long as the rate is stable. "auto" is "univariate" for one input and at most 32
        outputs, without `batch_size`, else "dense".
    dtype : {None, numpy.float32, numpy.float64}, default None
        Of the data and of the returned weights; None: float32 if x and y both are, else float64. "univariate" computes
        in float64 whatever it is, the others in this dtype. Weights in float32 cannot hold a large offset of x: one
        of 1e5 times its spread can add percents to the RMSE, one of 1e6 times multiply it. Subtract it first.
    threads : int, optional
        Threads of "dense"; the other algorithms take one. A number given decides the last bits of the result. None:
        as many as there are cores, as far as an update is long enough to pay; outside the main thread, and in a process
        that multiprocessing or joblib started, one, which gives the same bits.
    record_every : int, optional
        Spacing in epochs of the recorded RMSE; by default the smallest that gives at most a million records, or with
        `validation` at most a thousand.
    snapshots : iterable of int, optional
        Epochs, from 0 to `epochs`, at which to keep the model in ``model.history.snapshots``.
    stop_at_crossing : bool, default False
        Whether to end the fit right after the first update that changes any unit's set of active samples, that update
        included. Needs the algorithm "univariate".
    validation : a tuple (x, y) or (x, y, sample_weight), optional
        Samples that are not trained on; ``model.history.val_rmse`` has the RMSE on them at the recorded epochs.
    patience : int, optional
        Epochs without an improvement after which training stops, at a recorded epoch. What should improve is the
        validation RMSE or, without validation, the RMSE. However a training with patience ends, the weights of the
        recorded epoch where that was lowest are returned; ``model.info.best_epoch`` names it.
    min_delta : float, default 0.0
        What the RMSE has to fall by, below that at the last improvement, to be an improvement; in y's units.
    checkpoint : str or os.PathLike, optional
        A file in which to keep where training stands, for this fit alone. It is replaced as a whole, so that whatever
        happens one complete state is there; `fastmlp.load` reads the model so far from it.
    checkpoint_every : float, default 60.0
        Seconds between two writes of that file, which is written at the end too.
    resume : bool, default False
        Whether to go on from the file, on as many cores bitwise as if training had never stopped; from the start if
        there is none. Data, settings and the version of fastmlp have to be the same; of a callable `lr` only the first
        rate is compared, and of `rng` nothing when it is None. Of the state in the file no more is checked than that it
        is whole: resume from your own files only.
    callback : callable, optional
        Called with a `CallbackInfo` after every chunk of epochs: of 50 - 100 ms, shorter at first and before snapshots.
        Training stops when it returns True; its exceptions propagate.
    progress : bool or None, default None
        Whether to show a progress bar; None: on a terminal, for runs of more than about two seconds.

    Returns
    -------
    Model
        The trained net with its ``history`` and ``info``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value, or `checkpoint` of another call; before anything is computed.
    FileFormatError
        If the file to resume from is damaged.
    OSError
        If the checkpoint cannot be written; the one before is untouched.
    MemoryError
        If a size needs more than this machine's memory.
    DivergenceError
        If the RMSE stops being finite; it carries the last model whose RMSE was.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C ended the training; the model so far is returned.

    Notes
    -----
    On sin(x) at 100 points, with everything else at its default, plain descent ends at an RMSE of 1e-3 and momentum 0.9
    at 1e-4 (below 2e-4 from each of the seeds 0 to 9). Adam whose rate falls from 3e-3 to 0 gets to 5e-5; at a constant
    rate its RMSE leaps to 1e-2 now and then. With one input an epoch of these costs more than a plain one, 6 and 11 us
    where that takes 1.1, because no two units go through the same map: a second takes plain descent to 7e-5, momentum
    to 5e-5, falling Adam to 3e-5. ``scripts/compare_optimizers.py`` makes the table.

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
    from fastmlp.engines.univariate.engine import each_univariate_kernel
    from fastmlp.engines.univariate.outputs import compile_outputs

    compile_outputs()
    plain = Settings(Rates(0.0, 0.0, 0.0, 0.0))
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        for settings in (plain, replace(plain, optimizer="adam")):
            for engine, shape in (*each_kernel(), *each_univariate_kernel()):
                engine.compile(shape, dtype, settings)

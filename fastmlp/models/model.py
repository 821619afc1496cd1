"""The trained net: its weights, what can be asked of them, and how they came about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.reference import Forward, forward, gradients
from fastmlp.starting.scaling import Standardization
from fastmlp.training.recording import History, record_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp.exporting.piecewise import PiecewiseLinear


@dataclass(frozen=True, eq=False)
class FitInfo:
    """How a model was trained.

    Attributes
    ----------
    algorithm : {"univariate", "dense", "reference"}
        The engine that "auto" stood for.
    method : str
        What the engine did within that, at the end: the kernel that it ran.
    optimizer : {"sgd", "adam"}
        What followed the gradients.
    lr : float, dict, callable or None
        The rate, in the coordinates trained in; by parameter group or by epoch when it was given so. None if Ctrl-C
        came before the automatic one was found.
    epochs_run : int
        Updates done.
    best_epoch : int
        The epoch of the weights returned.
    stop_reason : {"epochs", "patience", "callback", "crossing", "interrupted"} or None
        Why training ended; None in a model taken while it went on.
    crossings, live_units : int or None
        (unit, sample) sign changes in all, and units that may cross a sample in the next epochs, where the engine knows
        them.
    fit_seconds, compile_seconds : float
        Time to find the start and the rate and to train; time to import Numba and to compile, or to load compiled code.
    standardization : Standardization or None
        The maps to the units trained in; None when those were the data's.
    versions : mapping of str to str
        Of fastmlp, Python, numpy and numba.
    """

    algorithm: str
    method: str
    optimizer: str
    lr: float | dict[str, float] | Callable[[int], float] | None
    epochs_run: int
    best_epoch: int
    stop_reason: str | None
    crossings: int | None
    live_units: int | None
    fit_seconds: float
    compile_seconds: float
    standardization: Standardization | None
    versions: Mapping[str, str]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A two-layer net: h1 = x w1 + b1, h2 = act(h1) w2 + b2, act(z) = z if z > 0 else negative_slope * z.

    Its arrays are read-only copies, and models are compared by identity.

    Parameters
    ----------
    w1, b1, w2, b2 : array_like
        Of shapes (n_in, hidden), (hidden,), (hidden, n_out), (n_out,). All float32, or anything else for float64.
    negative_slope : float, default 0.0
        The slope of act below 0; 0 is ReLU.
    x_range : ndarray of shape (n_in, 2), optional
        Smallest and largest value of each input that the net was trained on.
    y_ndim : 1 or 2, optional
        The number of dimensions that `predict` answers in; 1 by default for one output, else 2.
    feature_names, target_names : sequence of str, optional
        What the inputs and the outputs are called, as the columns of a table are; kept as tuples. `fit` leaves them
        None, or takes those of a Model in `init` over.
    history : History, optional
        The course of the fit.
    info : FitInfo, optional
        How the fit went.

    Raises
    ------
    TypeError, ValueError
        If an array is of the wrong kind or shape, or not finite.

    Examples
    --------
    >>> import fastmlp
    >>> absolute = fastmlp.Model([[1.0, -1.0]], [0.0, 0.0], [[1.0], [1.0]], [0.0])
    >>> absolute.predict([-2.0, 3.0])
    array([2., 3.])
    """

    w1: Array
    b1: Array
    w2: Array
    b2: Array
    negative_slope: float = 0.0
    _: KW_ONLY
    x_range: Array | None = None
    y_ndim: int | None = None
    feature_names: Sequence[str] | None = None
    target_names: Sequence[str] | None = None
    history: History | None = None
    info: FitInfo | None = None

    def __post_init__(self) -> None:
        arrays = checks.weights(self.weights)
        dtype = checks.common_dtype(*arrays)
        for name, array in arrays._asdict().items():
            object.__setattr__(self, name, np.array(array, dtype=dtype, order="C"))
        object.__setattr__(self, "negative_slope", checks.real("negative_slope", self.negative_slope))
        if self.y_ndim is None:
            object.__setattr__(self, "y_ndim", 1 if arrays.b2.size == 1 else 2)
        if self.y_ndim not in ((1, 2) if arrays.b2.size == 1 else (2,)):
            raise ValueError(checks.wording("y_ndim", "2, or 1 for a net of one output", repr(self.y_ndim)))
        if self.x_range is not None:
            x_range = np.array(self.x_range, dtype=np.float64)
            if x_range.shape != (arrays.w1.shape[0], 2):
                raise ValueError(checks.wording("x_range", "of shape (n_in, 2)", f"shape {x_range.shape}"))
            object.__setattr__(self, "x_range", x_range)
        for name, n_names in (("feature_names", self.n_in), ("target_names", self.n_out)):
            object.__setattr__(self, name, checks.optional_names(name, getattr(self, name), n_names))
        self._protect()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._protect()  # unpickled arrays are writeable

    def _protect(self) -> None:
        for array in (self.w1, self.b1, self.w2, self.b2, self.x_range):
            if array is not None:
                array.flags.writeable = False

    def __repr__(self) -> str:
        sizes = f"n_in={self.n_in}, n_hidden={self.n_hidden}, n_out={self.n_out}"
        rmse = ""
        if self.history is not None:  # with patience the weights are not those of the last epoch
            record = -1 if self.info is None else record_at(self.history, self.info.best_epoch)
            rmse = f", rmse={self.history.rmse[record]:.4g}"
        return f"Model({sizes}, negative_slope={self.negative_slope:g}, dtype={self.w1.dtype}{rmse})"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from fastmlp.showing.notebook import html

        return html(self)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.w1.shape[0])

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return int(self.w1.shape[1])

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return int(self.w2.shape[1])

    @property
    def weights(self) -> Weights:
        """The four arrays as a named tuple."""
        return Weights(self.w1, self.b1, self.w2, self.b2)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Evaluate the net.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the data.

        Returns
        -------
        ndarray of shape (n,) or (n, n_out), of the dtype of the weights
            The outputs, in as many dimensions as y had. A row's output does not depend on the other rows.

        Raises
        ------
        TypeError, ValueError
            If x is of the wrong kind or shape, or not finite.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).predict([0.0, 1.0])
        array([3.5, 9.5])
        """
        columns, _ = checks.inputs(x, self.n_in, self.feature_names)
        outputs = self._outputs(columns).astype(self.w1.dtype)
        return outputs[:, 0] if self.y_ndim == 1 else outputs

    def rmse(self, x: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the root of the weighted mean, over samples and outputs, of the squared error.

        Parameters
        ----------
        x, y : array_like
            Samples as in `fastmlp.fit`.
        sample_weight : array_like of shape (n,), optional
            Weights of the samples; ones by default.

        Raises
        ------
        TypeError, ValueError
            If the data is of the wrong kind or shape, or not finite.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).rmse([1.0, 2.0], [1.0, 4.0])
        1.4142135623730951
        """
        data = self._samples(x, y, sample_weight)
        return root_mean_square(self._outputs(data.x) - data.y, data.sample_weight)

    def gradients(
        self, x: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> dict[str, Array]:
        """Return the gradient of the objective 1 / (2 sum s) sum_i s_i |h2_i - y_i|^2 by the report's formulas.

        Parameters
        ----------
        x, y : array_like
            Samples as in `fastmlp.fit`.
        sample_weight : array_like of shape (n,), optional
            Weights s of the samples; ones by default.

        Returns
        -------
        dict of str to ndarray of float64
            The derivatives by "w1", "b1", "w2", "b2" and "x", each of the shape of what it is by.

        Raises
        ------
        TypeError, ValueError
            If the data is of the wrong kind or shape, or not finite.

        Examples
        --------
        >>> import fastmlp
        >>> gradients = fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).gradients([1.0, 2.0], [1.0, 4.0])
        >>> gradients["w1"], gradients["x"]
        (array([[-2.]]), array([ 0., -1.]))
        """
        data = self._samples(x, y, sample_weight)
        wide = self._wide_weights()
        passed = forward(data.x, wide, self.negative_slope)
        dh2 = data.sample_weight[:, None] * (passed.h2 - data.y)
        parameters, dx = gradients(data.x, dh2, passed, wide)
        return parameters._asdict() | {"x": dx[:, 0] if data.x_ndim == 1 else dx}

    def input_gradient(self, x: npt.ArrayLike) -> Array:
        """Return d h2 / d x at each sample.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Where to take the derivative; on a kink it is the one of the inactive side.

        Returns
        -------
        ndarray of float64, shape (n, n_out, n_in)
            Without the axis of outputs if y had one dimension, without that of inputs if x has one.

        Raises
        ------
        TypeError, ValueError
            If x is of the wrong kind or shape, or not finite.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.0]).input_gradient([-1.0, 1.0])
        array([0., 6.])
        """
        columns, x_ndim = checks.inputs(x, self.n_in, self.feature_names)
        wide = self._wide_weights()
        gradient = np.empty((len(columns), self.n_out, self.n_in))
        for rows, passed in self._blocks(columns):
            for o in range(self.n_out):
                gradient[rows, o] = (passed.slope * wide.w2[:, o]) @ wide.w1.T
        axes = ((1,) if self.y_ndim == 1 else ()) + ((2,) if x_ndim == 1 else ())
        return gradient.squeeze(axes)

    def kinks(self) -> Array:
        """Return where each unit switches, -b1 / w1 (n_hidden,): NaN where w1 is 0. One input only.

        Raises
        ------
        ValueError
            If the net has several inputs.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0, 0.0]], [1.0, 1.0], [[1.0], [1.0]], [0.0]).kinks()
        array([-0.5,  nan])
        """
        if self.n_in != 1:
            raise ValueError(checks.wording("kinks", "asked of a net of one input", f"{self.n_in} inputs"))
        slope = np.where(self.w1[0] == 0, np.nan, self.w1[0])
        with np.errstate(over="ignore"):
            return np.asarray(-self.b1 / slope)

    def plot(self, x: npt.ArrayLike | None = None, y: npt.ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw the net: as a curve, as a map, or against the data.

        One input: the curve with its kinks along the axis, and the data if given. Two inputs and one output: filled
        contours, and the data in the same colours. More: what is predicted against what was observed.

        Parameters
        ----------
        x, y : array_like, optional
            Samples to draw; x alone sets the range, which is that of the training data by default. More than two
            inputs, or two and several outputs, need both.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            If the samples are of the wrong kind or shape, or missing where they or a range are needed.

        Examples
        --------
        >>> import fastmlp, matplotlib
        >>> matplotlib.use("Agg")
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).plot([-1.0, 1.0]).get_xlabel()
        'x'
        """
        from fastmlp.showing.plotting import plot_model

        return plot_model(self, x, y, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file that `fastmlp.load` reads.

        Parameters
        ----------
        path : str or os.PathLike
            The file, by exactly this name. One that is there already is replaced when the new one is complete and on
            the disk, so that at any moment there is the one or the other.

        Raises
        ------
        OSError
            If the file cannot be written; the one before is untouched.

        Notes
        -----
        The file is an npz archive without pickle and holds all of the model, with history and info, but for a callable
        `info.lr`, of which None is left.

        Examples
        --------
        >>> import fastmlp, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).save(pathlib.Path(folder, "line.npz"))
        ...     [path.name for path in pathlib.Path(folder).iterdir()]
        ['line.npz']
        """
        from fastmlp.models.storage import save

        save(self, path)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the net as an ONNX graph in float32, from "x" (n_samples, n_in) to "y" (n_samples, n_out).

        Needs the extra ``fastmlp[onnx]``.

        Parameters
        ----------
        path : str or os.PathLike
            The file, exactly so named; it is replaced whole or not at all.

        Raises
        ------
        ImportError
            If the package onnx is missing.
        ValueError
            If a weight is beyond float32.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_onnx("net.onnx")  # doctest: +SKIP
        """
        from fastmlp.exporting.formats import to_onnx

        to_onnx(self, path)

    def to_torch_state(self) -> dict[str, Array]:
        """Return the weights under the names, and in the shapes, of ``nn.Sequential(Linear, ReLU, Linear)``.

        The middle module is ``LeakyReLU(negative_slope)`` for a net with a slope. To load them:
        ``module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})``.

        Returns
        -------
        dict of str to ndarray
            "0.weight" (hidden, n_in), "0.bias" (hidden,), "2.weight" (n_out, hidden), "2.bias" (n_out,): copies, of the
            model's dtype.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_torch_state()["2.weight"]
        array([[3.]])
        """
        from fastmlp.exporting.formats import to_torch_state

        return to_torch_state(self)

    def to_c(self, name: str = "predict", numbers: str = "float") -> str:
        """Return the net as the text of a C99 function without library, heap or global state.

        A net of one input becomes the table of its breakpoints, searched in about log2(hidden) steps; any other is
        evaluated unit by unit.

        Parameters
        ----------
        name : str, default "predict"
            Of the function, ``void name(const float x[n_in], float y[n_out])``; also what the names of its tables,
            which are ``static const``, begin with.
        numbers : {"float", "double", "fixed"}, default "float"
            What tables and sums consist of. "fixed" is for processors without floating point: 32-bit integers with
            64-bit sums, scaled so that no input can overflow; the scales of x and y are in the text. It is made for
            the range of inputs that the net was trained on and takes up to twice that.

        Raises
        ------
        TypeError, ValueError
            If an argument is not one of these, if the net is beyond float32 with "float", or if the range of inputs is
            unknown with "fixed".

        Examples
        --------
        >>> import fastmlp
        >>> source = fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_c("curve")
        >>> "void curve(const float x[1], float y[1])" in source
        True
        """
        from fastmlp.exporting.formats import to_c

        return to_c(self, name, numbers)

    def to_piecewise(self) -> PiecewiseLinear:
        """Return the exact breakpoints, values and slopes of a net of one input, which is a piecewise-linear curve.

        Returns
        -------
        PiecewiseLinear

        Raises
        ------
        ValueError
            If the net has several inputs.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_piecewise().slopes
        array([0., 6.])
        """
        from fastmlp.exporting.piecewise import to_piecewise

        return to_piecewise(self)

    def _samples(self, x: object, y: object, sample_weight: object) -> checks.Samples:
        checks.inputs(x, self.n_in, self.feature_names)
        data = checks.samples(x, y, sample_weight)
        if data.y.shape[1] != self.n_out:
            rule = f"of {checks.counted(self.n_out, 'column')}"
            raise ValueError(checks.wording("y", rule, f"{data.y.shape[1]}"))
        return data

    def _wide_weights(self) -> Weights:
        return Weights(*(array.astype(np.float64, copy=False) for array in self.weights))

    def _outputs(self, x: Array) -> Array:
        """Return h2 (n, n_out) in float64."""
        outputs = np.empty((len(x), self.n_out))
        for rows, passed in self._blocks(x):
            outputs[rows] = passed.h2
        return outputs

    def _blocks(self, x: Array) -> Iterator[tuple[slice, Forward]]:
        """Yield the forward pass block by block: memory stays bounded.

        Every block has as many rows, the last one padded, since BLAS sums in another order for another shape and a
        row's output must not depend on how many others there are.
        """
        wide = self._wide_weights()
        n_rows = max(4, 2**15 // self.n_hidden)
        block = np.zeros((n_rows, self.n_in))
        for first in range(0, len(x), n_rows):
            rows = slice(first, min(first + n_rows, len(x)))
            n_used = rows.stop - first
            block[:n_used] = x[rows]
            passed = forward(block, wide, self.negative_slope)
            yield rows, Forward(*(array[:n_used] for array in passed))


def root_mean_square(error: Array, sample_weight: Array) -> float:
    """Return the root of the mean square of (n, n_out) errors; the weights of the samples sum to 1."""
    unit = np.abs(error).max() or 1.0  # squares beyond 1e154 overflow
    return float(unit * np.sqrt(np.mean(sample_weight @ (error / unit) ** 2)))


def model_alike(model: Model, weights: Weights, history: History, info: FitInfo) -> Model:
    """Return a net fitted to the same data, of weights that are known to be sound: to check them takes 45 us."""
    other = object.__new__(Model)
    own = {name: array.copy() for name, array in zip(Weights._fields, weights, strict=True)}
    other.__setstate__(model.__dict__ | own | {"history": history, "info": info})
    return other

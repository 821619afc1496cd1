"""A two-layer net: its weights, its predictions and its derivatives.

`Net` knows nothing about fits, files or plots. `fastmlp.models.model.Model` adds these for the user.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.reference import Forward, forward, gradients

BLOCK_ENTRIES = 2**15  # of h1 in one block of the forward pass: 256 kB in float64


@dataclass(frozen=True, eq=False, repr=False)
class Net:
    """A two-layer ReLU network without the history of its training.

    Its outputs are ``h2 = act(h1) w2 + b2`` with ``h1 = x w1 + b1`` and
    ``act(z) = z if z > 0 else negative_slope * z``. It stores read-only copies of its arrays. Networks are compared by
    identity.

    Parameters
    ----------
    w1, b1, w2, b2 : array_like
        Weights and biases of the two layers.
        The shapes are (n_in, n_hidden), (n_hidden,), (n_hidden, n_out) and (n_out,). They are stored as float32 if all
        four are float32, and as float64 otherwise.
    negative_slope : float, default 0.0
        Slope of the activation for negative arguments; 0 is ReLU.
    x_range : ndarray of shape (n_in, 2), optional
        Smallest and largest training value of each input.
    y_ndim : 1 or 2, optional
        Number of dimensions of the predictions.
        By default, 1 for one output and 2 for several.
    feature_names, target_names : sequence of str, optional
        Names of the inputs and of the outputs, such as the columns of a table.
        They are stored as tuples.
    y_clip : array_like of shape (n_out, 2), optional
        Smallest and largest prediction of each output.

    Raises
    ------
    TypeError, ValueError
        If an array has the wrong type or shape or is not finite, or if another argument is invalid.
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
    y_clip: Array | None = None

    def __post_init__(self) -> None:
        arrays = checks.weights(self.weights)
        dtype = checks.common_dtype(*arrays)
        for name, array in arrays._asdict().items():
            object.__setattr__(self, name, np.array(array, dtype=dtype, order="C"))
        object.__setattr__(self, "negative_slope", checks.real("negative_slope", self.negative_slope))
        if self.y_ndim is None:
            object.__setattr__(self, "y_ndim", 1 if self.n_out == 1 else 2)
        if self.y_ndim not in ((1, 2) if self.n_out == 1 else (2,)):
            raise ValueError(checks.wording("y_ndim", "2, or 1 for a net with one output", repr(self.y_ndim)))
        if self.x_range is not None:
            x_range = np.array(self.x_range, dtype=np.float64)
            if x_range.shape != (self.n_in, 2):
                raise ValueError(checks.wording("x_range", "of shape (n_in, 2)", f"shape {x_range.shape}"))
            object.__setattr__(self, "x_range", x_range)
        if self.y_clip is not None:
            object.__setattr__(self, "y_clip", _checked_clip(self.y_clip, self.n_out))
        for name, n_names in (("feature_names", self.n_in), ("target_names", self.n_out)):
            object.__setattr__(self, name, checks.optional_names(name, getattr(self, name), n_names))
        self._make_read_only()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_read_only()  # unpickled arrays are writeable

    def _make_read_only(self) -> None:
        for array in (self.w1, self.b1, self.w2, self.b2, self.x_range, self.y_clip):
            if array is not None:
                array.flags.writeable = False

    def __repr__(self) -> str:
        return f"Net({self._facts()})"

    def _facts(self) -> str:
        sizes = f"n_in={self.n_in}, n_hidden={self.n_hidden}, n_out={self.n_out}"
        return f"{sizes}, negative_slope={self.negative_slope:g}, dtype={self.w1.dtype}"

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
        """The four arrays as a named tuple (w1, b1, w2, b2)."""
        return Weights(self.w1, self.b1, self.w2, self.b2)

    def predict(self, x: npt.ArrayLike) -> Array:
        """Return the outputs of the network, clipped to `y_clip` if the network has one.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the training data.
            The columns of a data frame must have the names `feature_names`, in this order, if the network has names.

        Returns
        -------
        ndarray of shape (n,) or (n, n_out)
            Outputs.
            They have the dtype of the weights and the number of dimensions of the training targets. Other rows, and the
            threads of BLAS, change the prediction for a row by rounding only.

        Raises
        ------
        TypeError, ValueError
            If x has the wrong type or shape or is not finite.

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
        """Return the root of the weighted mean squared error over samples and outputs.

        Parameters
        ----------
        x, y : array_like
            Inputs and targets, as in `fastmlp.fit`.
        sample_weight : array_like of shape (n,), optional
            Weights of the samples.
            By default, all samples have the same weight.

        Returns
        -------
        float
            RMSE, in the units of y.

        Raises
        ------
        TypeError, ValueError
            If the samples have the wrong type or shape or are not finite.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).rmse([1.0, 2.0], [1.0, 4.0])
        1.4142135623730951
        """
        data = samples_of(self, x, y, sample_weight)
        return root_mean_square(self._outputs(data.x) - data.y, data.sample_weight)

    def gradients(
        self, x: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> dict[str, Array]:
        """Return the gradient of the objective ``1 / (2 sum s) * sum_i s_i |h2_i - y_i|^2``.

        The outputs h2 are those of the network without `y_clip`.

        Parameters
        ----------
        x, y : array_like
            Inputs and targets, as in `fastmlp.fit`.
        sample_weight : array_like of shape (n,), optional
            Weights s of the samples.
            By default, all samples have the same weight.

        Returns
        -------
        dict of str to ndarray of float64
            Derivatives with respect to "w1", "b1", "w2", "b2" and "x", each with the shape of that array.

        Raises
        ------
        TypeError, ValueError
            If the samples have the wrong type or shape or are not finite.

        Examples
        --------
        >>> import fastmlp
        >>> gradients = fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).gradients([1.0, 2.0], [1.0, 4.0])
        >>> gradients["w1"], gradients["x"]
        (array([[-2.]]), array([ 0., -1.]))
        """
        data = samples_of(self, x, y, sample_weight)
        weights = self._float64_weights()
        forward_pass = forward(data.x, weights, self.negative_slope)
        dh2 = data.sample_weight[:, None] * (forward_pass.h2 - data.y)
        parameters, dx = gradients(data.x, dh2, forward_pass, weights)
        return parameters._asdict() | {"x": dx[:, 0] if data.x_ndim == 1 else dx}

    def input_gradient(self, x: npt.ArrayLike) -> Array:
        """Return the derivative of the outputs with respect to the inputs, d h2 / d x, at each sample.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1
            Inputs, in the units of the training data.
            A unit whose kink is exactly at an input counts as inactive there. The derivative is 0 where `y_clip`
            clips the output.

        Returns
        -------
        ndarray of float64, shape (n, n_out, n_in)
            Derivatives.
            There is no axis of outputs if the training targets had one dimension, and no axis of inputs if x has one.

        Raises
        ------
        TypeError, ValueError
            If x has the wrong type or shape or is not finite.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.0]).input_gradient([-1.0, 1.0])
        array([0., 6.])
        """
        columns, x_ndim = checks.inputs(x, self.n_in, self.feature_names)
        weights = self._float64_weights()
        gradient = np.empty((len(columns), self.n_out, self.n_in))
        for rows, forward_pass in self._forward_blocks(columns):
            for k in range(self.n_out):
                gradient[rows, k] = (forward_pass.slope * weights.w2[:, k]) @ weights.w1.T
            if self.y_clip is not None:
                gradient[rows][(forward_pass.h2 < self.y_clip[:, 0]) | (forward_pass.h2 > self.y_clip[:, 1])] = 0.0
        axes = ((1,) if self.y_ndim == 1 else ()) + ((2,) if x_ndim == 1 else ())
        return gradient.squeeze(axes)

    def kinks(self) -> Array:
        """Return the kink of each hidden unit of a network with one input.

        The kink is the input -b1 / w1 at which the unit becomes active or inactive.

        Returns
        -------
        ndarray of shape (n_hidden,)
            Kinks in the order of the units; NaN where w1 is 0.

        Raises
        ------
        ValueError
            If the network has several inputs.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0, 0.0]], [1.0, 1.0], [[1.0], [1.0]], [0.0]).kinks()
        array([-0.5,  nan])
        """
        if self.n_in != 1:
            raise ValueError(f"Model.kinks supports one input; this net has {self.n_in}.")
        slope = np.where(self.w1[0] == 0, np.nan, self.w1[0])
        with np.errstate(over="ignore"):
            return np.asarray(-self.b1 / slope)

    def _float64_weights(self) -> Weights:
        return Weights(*(array.astype(np.float64, copy=False) for array in self.weights))

    def _outputs(self, x: Array) -> Array:
        """Return h2 (n, n_out) in float64, clipped."""
        outputs = np.empty((len(x), self.n_out))
        for rows, forward_pass in self._forward_blocks(x):
            outputs[rows] = forward_pass.h2
        return self.clipped(outputs)

    def clipped(self, outputs: Array) -> Array:
        """Return outputs (n, n_out) within `y_clip`, if the network has one."""
        return outputs if self.y_clip is None else np.clip(outputs, self.y_clip[:, 0], self.y_clip[:, 1])

    def _forward_blocks(self, x: Array) -> Iterator[tuple[slice, Forward]]:
        """Yield the forward pass for one block of rows after another, which bounds the memory.

        All blocks have the same number of rows, and the last one is padded: BLAS sums in another order for another
        shape, and the output of a row must not depend on the number of rows.
        """
        weights = self._float64_weights()
        n_rows = max(4, BLOCK_ENTRIES // self.n_hidden)
        block = np.zeros((n_rows, self.n_in))
        for first in range(0, len(x), n_rows):
            rows = slice(first, min(first + n_rows, len(x)))
            n_used = rows.stop - first
            block[:n_used] = x[rows]
            forward_pass = forward(block, weights, self.negative_slope)
            yield rows, Forward(*(array[:n_used] for array in forward_pass))


def _checked_clip(y_clip: npt.ArrayLike, n_out: int) -> Array:
    """Check the limits of the outputs."""
    limits = np.array(y_clip, dtype=np.float64)
    if limits.shape != (n_out, 2):
        raise ValueError(checks.wording("y_clip", "of shape (n_out, 2)", f"shape {limits.shape}"))
    if not (np.isfinite(limits).all() and (limits[:, 0] <= limits[:, 1]).all()):
        raise ValueError(
            checks.wording("y_clip", "a finite lower and upper limit of each output", f"{limits.tolist()}")
        )
    return limits


def samples_of(net: Net, x: object, y: object, sample_weight: object = None) -> checks.Samples:
    """Check samples for a net: x must have a column for each input and y one for each output."""
    data = checks.samples(x, y, sample_weight)
    checks.require_names("x", data.x_names, net.feature_names)
    checks.require_names("y", data.y_names, net.target_names)
    checks.require_inputs(data.x.shape if data.x_ndim == 2 else data.x.shape[:1], net.n_in)
    if data.y.shape[1] != net.n_out:
        columns = checks.counted(net.n_out, "column")
        raise ValueError(f"y must have {columns}, one for each output, got {data.y.shape[1]}.")
    return data


def root_mean_square(error: Array, sample_weight: Array) -> float:
    """Return the root of the weighted mean square of errors (n, n_out). The sample weights (n,) sum to 1."""
    unit = np.abs(error).max() or 1.0  # squares of errors above 1e154 overflow
    return float(unit * np.sqrt(np.mean(sample_weight @ (error / unit) ** 2)))

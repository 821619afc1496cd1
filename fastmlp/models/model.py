"""`Model`: a net that was trained, with the methods that plot, save and export it."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy.typing as npt

from fastmlp.engines.engine import Array, Weights
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History, record_at
from fastmlp.nets.net import Net

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp.exporting.piecewise import PiecewiseLinear


@dataclass(frozen=True, eq=False, repr=False)
class Model(Net):
    """A two-layer net: h1 = x w1 + b1, h2 = act(h1) w2 + b2, act(z) = z if z > 0 else negative_slope * z.

    The model stores read-only copies of its arrays. Models are compared by identity.

    Parameters
    ----------
    w1, b1, w2, b2 : array_like
        Weights and biases of the two layers. The shapes are (n_in, n_hidden), (n_hidden,), (n_hidden, n_out) and
        (n_out,). They are stored as float32 if all four are float32, else as float64.
    negative_slope : float, default 0.0
        Slope of act for negative arguments. 0 is ReLU.
    x_range : ndarray of shape (n_in, 2), optional
        Smallest and largest training value of each input.
    y_ndim : 1 or 2, optional
        Number of dimensions of the predictions. The default is 1 for one output, else 2.
    feature_names, target_names : sequence of str, optional
        Names of the inputs and of the outputs, such as the columns of a table. They are stored as tuples. `fit` sets
        them only if `init` is a Model, whose names it keeps.
    history : History, optional
        History of the fit.
    info : FitInfo, optional
        How the model was trained.

    Raises
    ------
    TypeError, ValueError
        If an array has the wrong type or shape or is not finite, or if another argument is invalid.

    Examples
    --------
    >>> import fastmlp
    >>> absolute = fastmlp.Model([[1.0, -1.0]], [0.0, 0.0], [[1.0], [1.0]], [0.0])
    >>> absolute.predict([-2.0, 3.0])
    array([2., 3.])
    """

    _: KW_ONLY
    history: History | None = None
    info: FitInfo | None = None

    def __repr__(self) -> str:
        rmse = ""
        if self.history is not None:  # with patience, the weights are not those of the last epoch
            record = -1 if self.info is None else record_at(self.history, self.info.best_epoch)
            rmse = f", rmse={self.history.rmse[record]:.4g}"
        return f"Model({self._facts()}{rmse})"

    def _repr_html_(self) -> str:
        """Return the HTML that a notebook shows."""
        from fastmlp.showing.notebook import html

        return html(self)

    def plot(self, x: npt.ArrayLike | None = None, y: npt.ArrayLike | None = None, *, ax: Axes | None = None) -> Axes:
        """Plot the net, and samples if given.

        A net with one input is drawn as a curve, with a tick on the axis for each kink. A net with two inputs and one
        output is drawn as filled contours, with the samples in the same colours. For any other net, predictions are
        plotted against targets.

        Parameters
        ----------
        x : array_like of shape (n, n_in), or (n,) if n_in is 1, optional
            Inputs of the samples. They set the plotted range, which is `x_range` by default.
        y : array_like of shape (n,) or (n, n_out), optional
            Targets of the samples. A net with more than two inputs, or with two inputs and several outputs, needs both
            x and y.
        ax : matplotlib Axes, optional
            Axes to draw on. The default is a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        TypeError, ValueError
            If the samples have the wrong type or shape, if this net needs x and y and one is missing, or if neither x
            nor `x_range` is known.

        Examples
        --------
        >>> import fastmlp, matplotlib
        >>> matplotlib.use("Agg")
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).plot([-1.0, 1.0]).get_xlabel()
        'x'
        """
        from fastmlp.showing.net_plot import plot_net

        return plot_net(self, x, y, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file that `fastmlp.load` reads.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file. No suffix is added. An existing file is replaced once the new one is complete and on the
            disk, so that at any moment there is either the old file or the new one.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is left unchanged.

        Notes
        -----
        The file is an npz archive without pickle. It holds the whole model with its history and info, with one
        exception: a callable `info.lr` is saved as None.

        Examples
        --------
        >>> import fastmlp, pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).save(pathlib.Path(folder, "line.npz"))
        ...     [path.name for path in pathlib.Path(folder).iterdir()]
        ['line.npz']
        """
        from fastmlp.models.saving import save_model

        save_model(path, self, self.history, self.info)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the net as an ONNX graph in float32. Requires the extra ``fastmlp[onnx]``.

        The input of the graph is "x" (n_samples, n_in), its output "y" (n_samples, n_out).

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file. No suffix is added. An existing file is replaced only once the new one is complete.

        Raises
        ------
        ImportError
            If the package onnx is not installed.
        ValueError
            If a weight is too large for float32.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_onnx("net.onnx")  # doctest: +SKIP
        """
        from fastmlp.exporting.onnx_graph import write_onnx

        write_onnx(self, path)

    def to_torch_state(self) -> dict[str, Array]:
        """Return the weights as the state of a PyTorch module ``nn.Sequential(Linear, ReLU, Linear)``.

        If the net has a negative slope, the middle module is ``LeakyReLU(negative_slope)``. To load the state:
        ``module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})``.

        Returns
        -------
        dict of str to ndarray
            Copies of the weights in the dtype of the model: "0.weight" (n_hidden, n_in), "0.bias" (n_hidden,),
            "2.weight" (n_out, n_hidden) and "2.bias" (n_out,).

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_torch_state()["2.weight"]
        array([[3.]])
        """
        from fastmlp.exporting.torch_state import torch_state

        return torch_state(self)

    def to_c(self, name: str = "predict", numbers: str = "float") -> str:
        """Return the source of a C99 function that evaluates the net.

        The function needs no library, no heap and no global state. A net with one input becomes a table of its
        breakpoints, in which a binary search takes about log2(n_hidden) steps. Any other net is evaluated unit by unit.

        Parameters
        ----------
        name : str, default "predict"
            Name of the function: ``void name(const float x[n_in], float y[n_out])``. The names of its ``static const``
            tables begin with it.
        numbers : {"float", "double", "fixed"}, default "float"
            Type of the numbers in tables and sums. "fixed" is for processors without floating point: it uses 32-bit
            integers and 64-bit sums. The source states the scales of x and y. They fit inputs up to twice the largest
            absolute training value of each input, and no input can overflow.

        Returns
        -------
        str
            The source.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid, if the net is too large for float32 with ``numbers="float"``, or if the net has
            no `x_range` with ``numbers="fixed"``.

        Examples
        --------
        >>> import fastmlp
        >>> source = fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_c("curve")
        >>> "void curve(const float x[1], float y[1])" in source
        True
        """
        from fastmlp.exporting.c_source import c_source

        return c_source(self, name, numbers)

    def to_piecewise(self) -> PiecewiseLinear:
        """Return a net with one input as a piecewise-linear curve: its breakpoints, values and slopes.

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
        from fastmlp.exporting.piecewise import piecewise_linear

        return piecewise_linear(self)


def replace_unchecked(model: Model, weights: Weights, history: History, info: FitInfo) -> Model:
    """Return a copy of the model with other weights, history and info, without checks, which take 45 us.

    The weights must have the shapes and the dtype of the model's and must be finite.
    """
    other = object.__new__(Model)
    arrays = {name: array.copy() for name, array in weights._asdict().items()}
    other.__setstate__(model.__dict__ | arrays | {"history": history, "info": info})
    return other

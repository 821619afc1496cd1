"""`Exportable`: the methods of models and ensembles that write them in other formats."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net

if TYPE_CHECKING:
    from fastmlp.exporting.c_function import Request
    from fastmlp.exporting.c_source import Source
    from fastmlp.exporting.piecewise import PiecewiseLinear


class Exportable(ABC):
    """What can be written in other formats, because it is one network or the average of several."""

    @abstractmethod
    def _exported(self) -> Net:
        """Return the network to export."""

    def _errors_on_new_data(self) -> Mapping[str, Sequence[float]]:
        """Return the known errors on data that the training has not seen, for each output, by their description."""
        return {}

    def to_onnx(self, path: str | os.PathLike[str], dtype: npt.DTypeLike = "float32") -> None:
        """Write the network as an ONNX graph.

        The graph has the input "x" of shape (n_samples, n_in) and the output "y" of shape (n_samples, n_out). Requires
        the extra ``fastmlp[onnx]``. Every runtime computes in float32. Use float64 if x has a large offset, such as a
        time stamp, and your runtime supports it, as ONNX Runtime does.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file.
            No suffix is added. An existing file is replaced only when the new file is complete.
        dtype : "float32" or "float64", default "float32"
            Floating-point type of the graph, of its input and of its output.

        Raises
        ------
        ImportError
            If the package onnx is not installed.
        TypeError, ValueError
            If an argument is invalid, or if a weight is too large for float32.

        Warns
        -----
        RuntimeWarning
            If a graph in float32 differs from a model in float64 by more than 1e-3 of the standard deviation of the
            outputs, at 1000 points within `x_range`.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_onnx("net.onnx")  # doctest: +SKIP
        """
        from fastmlp.exporting.onnx_graph import write_onnx

        write_onnx(self._exported(), path, dtype)

    def to_torch(self) -> Any:
        """Return the network as a PyTorch module ``nn.Sequential(Linear, ReLU, Linear)``.

        If `negative_slope` is not 0, the middle module is ``LeakyReLU(negative_slope)``. The parameters are copies in
        the dtype of the model, which x must have too. The output has the shape (n, n_out).

        Returns
        -------
        torch.nn.Sequential
            The module. Its parameters require gradients.

        Raises
        ------
        ImportError
            If PyTorch is not installed.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_torch()  # doctest: +SKIP
        Sequential(
          (0): Linear(in_features=1, out_features=1, bias=True)
          (1): ReLU()
          (2): Linear(in_features=1, out_features=1, bias=True)
        )
        """
        from fastmlp.exporting.torch_state import torch_module

        return torch_module(self._exported())

    def to_torch_state(self) -> dict[str, Array]:
        """Return the weights as the state of a PyTorch module ``nn.Sequential(Linear, ReLU, Linear)``.

        If `negative_slope` is not 0, the middle module is ``LeakyReLU(negative_slope)``. PyTorch need not be installed.
        The state holds NumPy arrays, and `load_state_dict` takes tensors only. This line loads the state:
        ``module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})``. Where PyTorch is
        installed, `to_torch` returns the module itself.

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

        return torch_state(self._exported())

    def to_c(self, name: str = "predict", numbers: str = "float", clamp: bool = False) -> str:
        """Return the source of a C99 function that evaluates the network.

        The function needs no library, no heap and no global state. With one input, it searches a table of the
        breakpoints in about log2(n_hidden) steps. With several inputs, it evaluates all hidden units. The comment at
        its top states the names, the trained range, the error on new data where it is known, the bytes of the tables,
        and a bound on the rounding errors. If the macro ``NAME_SELF_TEST`` is defined, the source also has the function
        ``int name_self_test(void)``, which evaluates ten rows and returns how many differ from the model: 0 if all is
        well.

        Parameters
        ----------
        name : str, default "predict"
            Name of the function.
            Its signature is ``void name(const float x[n_in], float y[n_out])``. The names of its ``static const``
            tables begin with this name.
        numbers : {"float", "double", "fixed"}, default "float"
            Type of the numbers in tables and sums.
            "fixed" is for processors without floating point. It uses 32-bit integers and 64-bit sums. The source states
            the scales of x and y. They are chosen for inputs up to twice the largest absolute training value of each
            input. No input can cause an overflow.
        clamp : bool, default False
            Whether the function clamps its inputs to the range of the training data.
            With one input, its table then has no breakpoints outside that range.

        Returns
        -------
        str
            The source.

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid, if a number is too large for float32 with ``numbers="float"``, or if `x_range` is
            missing with ``numbers="fixed"`` or ``clamp=True``.

        Examples
        --------
        >>> import fastmlp
        >>> source = fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_c("curve")
        >>> "void curve(const float x[1], float y[1])" in source
        True
        """
        from fastmlp.exporting.c_function import Request

        return c_source_of(self, Request(name, numbers, clamp)).text

    def to_piecewise(self, clamp: bool = False) -> PiecewiseLinear:
        """Return a network with one input as a piecewise-linear curve.

        Parameters
        ----------
        clamp : bool, default False
            Whether to clamp the input to the range of the training data.
            The ends of the range are then the first and the last breakpoint, so that breakpoints and values are a table
            for linear interpolation.

        Returns
        -------
        PiecewiseLinear
            Breakpoints, values and slopes of the curve.

        Raises
        ------
        ValueError
            If the network has several inputs, or if `x_range` is missing with ``clamp=True``.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5]).to_piecewise().slopes
        array([0., 6.])
        """
        from fastmlp.exporting.clipping import exported_curve

        return exported_curve(self._exported(), checks.flag("clamp", clamp))


def exported_net(model: Exportable) -> Net:
    """Return the network that exports of a model or an ensemble mean."""
    return model._exported()


def c_source_of(model: Exportable, request: Request) -> Source:
    """Return the source of a C function, with the size of its tables; see `Exportable.to_c`."""
    from fastmlp.exporting.c_source import c_source

    return c_source(model._exported(), request, model._errors_on_new_data())

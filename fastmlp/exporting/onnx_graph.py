"""A net as an ONNX graph: Gemm, Relu or LeakyRelu, Gemm, and Max and Min if its outputs have limits."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.engines.reference import forward
from fastmlp.exporting.float32_weights import float32_weights
from fastmlp.files.archives import checked_path
from fastmlp.files.atomic import replacing
from fastmlp.nets.net import Net

# The oldest versions that have these operators, so that old runtimes can read the file.
OPSET = 13
IR_VERSION = 7
LARGEST_LOSS = 1e-3  # of the spread of the outputs, above which a graph in float32 warns
N_POINTS = 1000  # at which the graph is compared with the net


class Operation(NamedTuple):
    """A node of the graph: the operator, the names of its inputs, the name of its output, and its attributes."""

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


def operations(net: Net, dtype: np.dtype[Any]) -> tuple[list[Operation], dict[str, Array]]:
    """Return the nodes that compute "y" from "x" in float32 or float64, and the constants that they take by name."""
    if dtype == np.float32:
        constants = dict(float32_weights(net)._asdict())
    else:
        constants = {name: array.astype(dtype) for name, array in net.weights._asdict().items()}
    if net.negative_slope == 0:
        activation = [Operation("Relu", ["h1"], "a1", {})]
    elif dtype == np.float32:
        activation = [Operation("LeakyRelu", ["h1"], "a1", {"alpha": net.negative_slope})]
    else:  # ONNX Runtime has no LeakyRelu in float64. One of the two terms is 0, so that the sum is exact.
        constants |= {"zero": np.zeros(1, dtype), "slope": np.full(1, net.negative_slope, dtype)}
        activation = [
            Operation("Relu", ["h1"], "positive", {}),
            Operation("Min", ["h1", "zero"], "negative", {}),
            Operation("Mul", ["negative", "slope"], "sloped", {}),
            Operation("Add", ["positive", "sloped"], "a1", {}),
        ]
    first = Operation("Gemm", ["x", "w1", "b1"], "h1", {})
    if net.y_clip is None:
        return [first, *activation, Operation("Gemm", ["a1", "w2", "b2"], "y", {})], constants
    constants |= {name: limits.astype(dtype) for name, limits in zip(("y_low", "y_high"), net.y_clip.T, strict=True)}
    last = [
        Operation("Gemm", ["a1", "w2", "b2"], "h2", {}),
        Operation("Max", ["h2", "y_low"], "raised", {}),
        Operation("Min", ["raised", "y_high"], "y", {}),
    ]
    return [first, *activation, *last], constants


def write_onnx(net: Net, path: str | os.PathLike[str], dtype: npt.DTypeLike) -> None:
    """Write a net to an ONNX file; see `Model.to_onnx`."""
    real = checks.dtype("dtype", dtype)
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs the package onnx: pip install 'onnx>=1.17'.") from error
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = operations(net, real)
    if real == np.float32:
        warn_of_loss(net)
    tensor_type = TensorProto.FLOAT if real == np.float32 else TensorProto.DOUBLE
    graph = helper.make_graph(
        [helper.make_node(node.operator, node.inputs, [node.output], **node.attributes) for node in nodes],
        "two_layer_net",
        [helper.make_tensor_value_info("x", tensor_type, ["n_samples", net.n_in])],
        [helper.make_tensor_value_info("y", tensor_type, ["n_samples", net.n_out])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="fastmlp")
    names = {"feature_names": net.feature_names, "target_names": net.target_names}
    known = {key: json.dumps(list(given)) for key, given in names.items() if given is not None}
    helper.set_model_props(model, known)
    onnx.checker.check_model(model, full_check=True)
    with replacing(checked_path("path", path)) as temporary:
        temporary.write_bytes(model.SerializeToString())


def float32_loss(net: Net) -> float:
    """Return the largest error of a net in float32 within its `x_range`, in standard deviations of the output.

    It is taken over points of a line for one input, over random points otherwise, and counts the rounding of the inputs
    too. It is 0 for a net without `x_range`.
    """
    if net.x_range is None:
        return 0.0
    low, high = net.x_range.T
    if net.n_in == 1:
        x = np.linspace(low, high, N_POINTS)
    else:
        x = np.random.default_rng(0).uniform(low, high, (N_POINTS, net.n_in))
    with np.errstate(all="ignore"):
        rounded = net.clipped(forward(x.astype(np.float32), float32_weights(net), net.negative_slope).h2)
        exact = net.predict(x).reshape(N_POINTS, net.n_out)
        loss = np.abs(rounded - exact).max(axis=0) / exact.std(axis=0)
    return float(np.nanmax(np.where(exact.std(axis=0) > 0, loss, 0.0)))


def warn_of_loss(net: Net) -> None:
    """Warn if the graph in float32 is much less accurate than the net."""
    loss = float32_loss(net)
    if net.w1.dtype == np.float64 and loss > LARGEST_LOSS:
        text = f"In float32, the outputs of the graph are off by up to {loss:.2g} of their standard deviation."
        remedy = 'Export it with dtype="float64", or subtract a large offset from x before you train.'
        warnings.warn(f"{text} {remedy}", RuntimeWarning, stacklevel=4)

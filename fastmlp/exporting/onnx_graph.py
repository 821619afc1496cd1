"""A net as an ONNX graph: Gemm, Relu or LeakyRelu, Gemm."""

from __future__ import annotations

import json
import os

from fastmlp.exporting.float32_weights import float32_weights
from fastmlp.files.archives import checked_path
from fastmlp.files.atomic import replacing
from fastmlp.nets.net import Net

# The oldest versions that have these operators, so that old runtimes can read the file.
OPSET = 13
IR_VERSION = 7


def write_onnx(net: Net, path: str | os.PathLike[str]) -> None:
    """Write a net to an ONNX file; see `Model.to_onnx`."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs the package onnx: pip install 'onnx>=1.17'.") from error
    from onnx import TensorProto, helper, numpy_helper

    tensors = [numpy_helper.from_array(array, name) for name, array in float32_weights(net)._asdict().items()]
    activation = (
        helper.make_node("Relu", ["h1"], ["a1"])
        if net.negative_slope == 0
        else helper.make_node("LeakyRelu", ["h1"], ["a1"], alpha=net.negative_slope)
    )
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h1"]),
        activation,
        helper.make_node("Gemm", ["a1", "w2", "b2"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n_samples", net.n_in])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n_samples", net.n_out])
    graph = helper.make_graph(nodes, "two_layer_net", [x], [y], tensors)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="fastmlp")
    names = {"feature_names": net.feature_names, "target_names": net.target_names}
    known = {key: json.dumps(list(given)) for key, given in names.items() if given is not None}
    helper.set_model_props(model, known)
    onnx.checker.check_model(model, full_check=True)
    with replacing(checked_path("path", path)) as temporary:
        temporary.write_bytes(model.SerializeToString())

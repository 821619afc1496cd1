"""A net in the formats of others: an ONNX graph, the arrays of a PyTorch module, C."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.checks import choice, wording
from fastmlp.engines.engine import Array, Weights
from fastmlp.files.archives import checked_path
from fastmlp.files.atomic import replacing

if TYPE_CHECKING:
    from fastmlp.models.model import Model

# The oldest that the operators used need, so that old runtimes read the file.
ONNX_OPSET = 13
ONNX_IR = 7
NUMBERS = ("float", "double", "fixed")
# A name of C's own would make a source that no compiler takes.
C_KEYWORDS = frozenset(
    {
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern"),
        *("float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed"),
        *("sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while"),
        *("_Bool", "_Complex", "_Imaginary"),
    }
)


def to_onnx(model: Model, path: str | os.PathLike[str]) -> None:
    """Write what `fastmlp.Model.to_onnx` says."""
    try:
        import onnx
    except ImportError as error:
        raise ImportError("to_onnx needs the package onnx: pip install 'onnx>=1.17'.") from error
    from onnx import TensorProto, helper, numpy_helper

    tensors = [numpy_helper.from_array(array, name) for name, array in weights_in_float32(model)._asdict().items()]
    activation = (
        helper.make_node("Relu", ["h1"], ["a1"])
        if model.negative_slope == 0
        else helper.make_node("LeakyRelu", ["h1"], ["a1"], alpha=model.negative_slope)
    )
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h1"]),
        activation,
        helper.make_node("Gemm", ["a1", "w2", "b2"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n_samples", model.n_in])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n_samples", model.n_out])
    graph = helper.make_graph(nodes, "two_layer_net", [x], [y], tensors)
    opset = helper.make_opsetid("", ONNX_OPSET)
    onnx_model = helper.make_model(graph, opset_imports=[opset], ir_version=ONNX_IR, producer_name="fastmlp")
    onnx.checker.check_model(onnx_model, full_check=True)
    with replacing(checked_path("path", path)) as temporary:
        temporary.write_bytes(onnx_model.SerializeToString())


def to_torch_state(model: Model) -> dict[str, Array]:
    """Return what `fastmlp.Model.to_torch_state` says."""
    return {
        "0.weight": np.array(model.w1.T, order="C"),
        "0.bias": model.b1.copy(),
        "2.weight": np.array(model.w2.T, order="C"),
        "2.bias": model.b2.copy(),
    }


def to_c(model: Model, name: str, numbers: str) -> str:
    """Return what `fastmlp.Model.to_c` says."""
    from fastmlp.exporting import c_curve, c_layers

    rule = "a C identifier"
    if not isinstance(name, str):
        raise TypeError(wording("name", rule, repr(name)))
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name in C_KEYWORDS:
        raise ValueError(wording("name", rule, repr(name)))
    if choice("numbers", numbers, NUMBERS) != "fixed":
        floating_source = c_curve.floating_source if model.n_in == 1 else c_layers.floating_source
        return floating_source(model, name, numbers)
    if model.x_range is None:
        raise ValueError(wording("model", 'a fitted one for numbers="fixed"', "one whose range of inputs is unknown"))
    fixed_source = c_curve.fixed_source if model.n_in == 1 else c_layers.fixed_source
    return fixed_source(model, name, np.abs(model.x_range).max(axis=1))


def weights_in_float32(model: Model) -> Weights:
    """Return the weights rounded to float32; a ValueError where that overflows."""
    with np.errstate(over="ignore"):
        rounded = Weights(*(array.astype(np.float32) for array in model.weights))
    for name, array in rounded._asdict().items():
        if not np.isfinite(array).all():
            largest = np.abs(getattr(model, name)).max()
            raise ValueError(wording(name, "of a scale that float32 can hold", f"{largest:.3g}", "Rescale the data."))
    return rounded

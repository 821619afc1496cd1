"""The converter with which skl2onnx converts pipelines that contain an estimator of this package."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from fastmlp.exporting.onnx_graph import operations, warn_of_loss


def register(*estimators: type) -> None:
    """Register the converter for these estimators, if skl2onnx is installed."""
    if find_spec("skl2onnx") is None:
        return
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes

    for estimator in estimators:
        name = f"FastMLP{estimator.__name__}"
        update_registered_converter(estimator, name, calculate_linear_regressor_output_shapes, _convert)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a net to the graph of skl2onnx, in double if its input is in double and else in float."""
    from skl2onnx.common.data_types import guess_proto_type
    from skl2onnx.proto import onnx_proto

    model = operator.raw_operator.model_
    is_double = guess_proto_type(operator.inputs[0].type) == onnx_proto.TensorProto.DOUBLE
    real = onnx_proto.TensorProto.DOUBLE if is_double else onnx_proto.TensorProto.FLOAT
    if not is_double:
        warn_of_loss(model)
    nodes, constants = operations(model, np.dtype(np.float64 if is_double else np.float32))
    cast = scope.get_unique_variable_name("x")
    container.add_node("Cast", operator.inputs[0].full_name, cast, name=scope.get_unique_operator_name("Cast"), to=real)
    names = {"x": cast, "y": operator.outputs[0].full_name}
    for label in (*constants, *(node.output for node in nodes)):
        names.setdefault(label, scope.get_unique_variable_name(label))
    for label, array in constants.items():
        container.add_initializer(names[label], real, array.shape, array.ravel())
    for node in nodes:
        inputs = [names[label] for label in node.inputs]
        unique = scope.get_unique_operator_name(node.operator)
        container.add_node(node.operator, inputs, names[node.output], name=unique, **node.attributes)

"""The Numba type of a vector of the processor's width."""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.extending import models, register_model

from fastmlp.compiled.processor import vector_bytes


class Vector(numba.types.Type):  # type: ignore[misc]
    """The Numba type of a vector."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.n_lanes = 8 * vector_bytes() // dtype.bitwidth
        self.llvm_suffix = f"v{self.n_lanes}f{dtype.bitwidth}"  # ends the name of an intrinsic of LLVM
        super().__init__(f"Vector({dtype}, {self.n_lanes})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """In LLVM a vector is an LLVM vector."""

    def __init__(self, manager: Any, vector: Any) -> None:
        super().__init__(manager, vector, ir.VectorType(manager[vector.dtype].get_value_type(), vector.n_lanes))

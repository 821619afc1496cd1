"""One kernel for arguments of given types, as an object file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import binding, ir
from numba.core import types

from building.levels import CPU_NAMES, FEATURES
from fastmlp.compiled.binding import FAILED
from fastmlp.compiled.compiler import OPTIONS, dispatcher

INT64 = ir.IntType(64)
RESHAPE = "numba_attempt_nocopy_reshape"  # the one function of Numba's library that support.c has


class NotSelfContainedError(Exception):
    """A kernel needs functions of Python or of Numba's library."""


def object_code(kernel: Callable[..., Any], signature: tuple[Any, ...], name: str, level: str) -> bytes:
    """Return the position-independent machine code of a kernel, called `name`.

    It is `int64 name(const int64 *slots)`, and takes the slots that `fastmlp.compiled.binding` packs. Everything but
    `name` is private to the object.
    """
    compiled = dispatcher(kernel, OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True})
    compiled.compile(signature)
    (result,) = compiled.overloads.values()
    module = binding.parse_assembly(str(_entry(result, name)))
    module.link_in(result.library._get_module_for_linking(), preserve=True)
    for symbol in (*module.functions, *module.global_variables):
        if not symbol.is_declaration and symbol.name != name:
            symbol.linkage = "internal"
    module.verify()
    needed = {function.name for function in module.functions if function.is_declaration} - {RESHAPE}
    foreign = sorted(name for name in needed if name.startswith(("numba_", "NRT_", "Py", "_Py")))
    if foreign:
        raise NotSelfContainedError(", ".join(foreign))
    return _target_machine(level).emit_object(module)  # type: ignore[no-any-return]


def _target_machine(level: str) -> Any:
    target = binding.Target.from_triple(binding.get_process_triple())
    return target.create_target_machine(
        cpu=CPU_NAMES.get(level, level), features=FEATURES[level], opt=3, reloc="pic", codemodel="default"
    )


def _entry(result: Any, name: str) -> ir.Module:
    """Return a module with the function that reads the slots and calls the compiled one."""
    context, description = result.target_context, result.fndesc
    module = ir.Module(name)
    module.triple, module.data_layout = binding.get_process_triple(), context.codegen()._data_layout
    inner_type = context.call_conv.get_function_type(description.restype, description.argtypes)
    inner = ir.Function(module, inner_type, description.llvm_func_name)
    outer = ir.Function(module, ir.FunctionType(INT64, [INT64.as_pointer()]), name)
    builder = ir.IRBuilder(outer.append_basic_block())
    slots = _Slots(builder, outer.args[0], context)
    values = [value for kind in description.argtypes for value in slots.read(kind)]
    returned, error = (builder.alloca(kind.pointee) for kind in inner_type.args[:2])
    values = [_as(builder, value, wanted) for value, wanted in zip(values, inner_type.args[2:], strict=True)]
    status = builder.call(inner, [returned, error, *values])
    is_done = (builder.icmp_signed("==", status, status.type(code)) for code in (0, -2))  # with a value, with None
    has_failed = builder.not_(builder.or_(*is_done))
    with builder.if_then(has_failed, likely=False):
        builder.ret(INT64(FAILED))
    if isinstance(description.restype, types.Integer | types.Boolean):
        value = builder.load(returned)
        builder.ret(value if value.type == INT64 else builder.zext(value, INT64))
    elif description.restype == types.none:
        builder.ret(INT64(0))
    else:
        raise TypeError(f"a kernel must return an integer or nothing, got {description.restype} of {name}")
    return module


def _as(builder: Any, value: Any, wanted: Any) -> Any:
    if value.type == wanted:
        return value
    return builder.bitcast(value, wanted) if isinstance(wanted, ir.PointerType) else builder.zext(value, wanted)


class _Slots:
    """Reads the arguments of a compiled function, as the flat values that Numba passes, from the slots of a call."""

    def __init__(self, builder: Any, address: Any, context: Any) -> None:
        self._builder, self._address, self._context = builder, address, context
        self._next = 0

    def _take(self, kind: Any) -> Any:
        slot = self._builder.gep(self._address, [INT64(self._next)])
        self._next += 1
        if isinstance(kind, ir.IntType) and kind.width < 64:
            return self._builder.trunc(self._builder.load(slot), kind)
        return self._builder.load(self._builder.bitcast(slot, kind.as_pointer()))

    def read(self, kind: Any) -> Iterator[Any]:
        """Yield the values of one argument."""
        if isinstance(kind, types.Array):
            yield from self._array(kind)
        elif isinstance(kind, types.BaseTuple):
            for item in kind.types:
                yield from self.read(item)
        elif isinstance(kind, types.Boolean):
            yield self._take(ir.IntType(1))
        elif isinstance(kind, types.Integer):
            yield self._take(INT64)
        elif isinstance(kind, types.Float):
            double = self._take(ir.DoubleType())
            yield double if kind.bitwidth == 64 else self._builder.fptrunc(double, ir.FloatType())
        else:
            raise TypeError(f"a shipped kernel takes no argument of type {kind}")

    def _array(self, kind: Any) -> Iterator[Any]:
        """Yield meminfo, parent, the number of items, their size, the address, the shape and the strides."""
        null = ir.Constant(ir.IntType(8).as_pointer(), None)
        item = self._context.get_data_type(kind.dtype)
        address = self._take(item.as_pointer())
        shape = [self._take(INT64) for _ in range(kind.ndim)]
        item_size = INT64(self._context.get_abi_sizeof(item))
        if kind.layout == "C":
            strides, n_bytes = [], item_size
            for size in reversed(shape):
                strides.insert(0, n_bytes)
                n_bytes = self._builder.mul(n_bytes, size)
        else:
            strides = [self._take(INT64) for _ in range(kind.ndim)]
        n_items = INT64(1)
        for size in shape:
            n_items = self._builder.mul(n_items, size)
        yield from (null, null, n_items, item_size, address, *shape, *strides)

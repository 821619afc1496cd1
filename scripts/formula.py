"""Functions of x from text such as "sin(3*x) + abs(x)/2", parsed with `ast`, evaluated with NumPy, no `eval`."""

from __future__ import annotations

import ast
import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CONSTANTS = {"pi": np.pi, "e": np.e}
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {  # by name: what is called, with how many arguments
    **{
        name: (getattr(np, name), 1)
        for name in (
            *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
            *("exp", "log", "log2", "log10", "sqrt", "cbrt", "abs", "sign", "floor", "ceil", "sinc"),
        )
    },
    **{name: (getattr(np, name), 2) for name in ("minimum", "maximum", "arctan2", "hypot")},
    "where": (np.where, 3),
}
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class FormulaError(ValueError):
    """Text that is not a formula; the message names the wrong part in one line."""


class Formula:
    """A function of x given as text. A comparison is 1 where it holds and 0 elsewhere.

    Parameters
    ----------
    text : str
        The formula, made of numbers, x, `CONSTANTS`, `FUNCTIONS`, + - * / ** %, comparisons and parentheses.

    Raises
    ------
    FormulaError
        If the text is anything else.

    Examples
    --------
    >>> Formula("(x > 0) * sqrt(abs(x))")([-4.0, 4.0])
    array([0., 2.])
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        if not self.text:
            raise FormulaError("the formula is empty")
        try:
            self._root = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise FormulaError(f"{error.msg} at column {error.offset} of {self.text!r}") from None
        except (ValueError, MemoryError, RecursionError) as error:
            raise FormulaError(f"cannot read the formula: {error or 'nested too deeply'}") from None
        self([1.0])

    def __call__(self, x: npt.ArrayLike) -> FloatArray:
        """Evaluate the formula at every entry of x. Undefined values are NaN or infinite."""
        points = np.asarray(x, dtype=np.float64)
        try:
            with np.errstate(all="ignore"):
                value = self._value(self._root, points)
        except RecursionError:
            raise FormulaError("cannot evaluate the formula: nested too deeply") from None
        return np.array(np.broadcast_to(value, points.shape))

    def _value(self, node: ast.expr, x: FloatArray) -> Any:
        """Evaluate one node of the tree. All numbers are float64, so that a power cannot become a huge integer."""
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.float64(number) if abs(number) <= sys.float_info.max else np.float64(np.inf)
            case ast.Name(id="x"):
                return x
            case ast.Name(id=name) if name in CONSTANTS:
                return np.float64(CONSTANTS[name])
            case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
                return UNARY[type(op)](self._value(operand, x))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return BINARY[type(op)](self._value(left, x), self._value(right, x))
            case ast.Compare():
                return self._comparison(node, x)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                function, n_args = FUNCTIONS[name]
                if len(args) != n_args:
                    raise self._error(node, f"{name} takes {n_args} argument{'s' * (n_args > 1)}, not {len(args)}, in")
                return function(*(self._value(arg, x) for arg in args))
        raise self._error(node, _objection(node))

    def _comparison(self, node: ast.Compare, x: FloatArray) -> Any:
        """Return 1.0 where all links of a chain such as a < b < c hold, and 0.0 elsewhere."""
        values = [self._value(operand, x) for operand in (node.left, *node.comparators)]
        holds: Any = np.float64(1)
        for left, op, right in zip(values, node.ops, values[1:], strict=False):
            if type(op) not in COMPARISONS:
                raise self._error(node, "only < <= > >= == != compare, not")
            holds = holds * COMPARISONS[type(op)](left, right)
        return holds

    def _error(self, node: ast.expr, objection: str) -> FormulaError:
        part = ast.get_source_segment(self.text, node)
        column = len(self.text.encode()[: node.col_offset].decode()) + 1
        return FormulaError(f"{objection} {part!r} at column {column} of {self.text!r}")


def _objection(node: ast.expr) -> str:
    """Return the error message for a node that is not allowed in a formula."""
    match node:
        case ast.Name(id=name) if name in FUNCTIONS:
            return "a function needs arguments in parentheses:"
        case ast.Name():
            return f"the names are x, {', '.join(CONSTANTS)} and functions, not"
        case ast.Call(func=ast.Name(id=name)) if name not in FUNCTIONS:
            return f"the functions are {', '.join(FUNCTIONS)}, not"
        case ast.BinOp(op=ast.BitXor()):
            return "a power is written with **, not"
        case ast.BoolOp():
            return "join comparisons with * or +, not"
    return "a formula cannot contain"

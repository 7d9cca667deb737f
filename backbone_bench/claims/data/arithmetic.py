"""Formulas as data: the four operations, `sqrt` and names, evaluated on numbers or on arrays over a sweep.

A claim file may come from anywhere. So its syntax tree is interpreted here and never evaluated as Python, and there is
no power operator: with it a short formula can demand a number of any length.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from backbone_bench.base.errors import UserError

FloatOrArray = Any  # a float or a numpy array: both have the operations below

_BINARY: dict[type[ast.operator], Callable[[FloatOrArray, FloatOrArray], FloatOrArray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 300


class Expression(str):
    """A formula whose syntax was checked.

    >>> Expression("2 * sqrt(side * side) + 1").value({"side": 3.0})
    7.0
    """

    __slots__ = ("_tree",)
    _tree: ast.expr

    def __new__(cls, text: object) -> "Expression":
        self = super().__new__(cls, text if isinstance(text, str) else _number(text))
        if len(self) > _LONGEST:
            raise ValueError(f"a formula has at most {_LONGEST} characters")
        try:
            self._tree = ast.parse(str(self).strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ValueError(f"{str(self)!r} is not a formula") from None
        _check(self._tree)
        return self

    def names(self) -> frozenset[str]:
        return frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)) - {"sqrt"}

    def value(self, names: Mapping[str, FloatOrArray]) -> FloatOrArray:
        """Evaluate the formula. Raises UserError for an unknown name or a division by zero."""
        try:
            return _finite(_value(self._tree, names))
        except KeyError as error:
            raise UserError(
                f"The formula {str(self)!r} uses {error.args[0]!r}; it may use {', '.join(names) or 'none'}."
            ) from None
        except ArithmeticError as error:
            raise UserError(f"The formula {str(self)!r} has no value: {error}.") from None


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a formula is a string or a number")
    return repr(value)


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return
        case ast.Name():
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left)
            _check(right)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            _check(inner)
        case ast.Call(func=ast.Name(id="sqrt"), args=[inner], keywords=[]):
            _check(inner)
        case _:
            raise ValueError(f"{ast.unparse(node)!r} is not allowed in a formula: use + - * / sqrt( ) and names")


def _value(node: ast.expr, names: Mapping[str, FloatOrArray]) -> FloatOrArray:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(operand=inner):
            return -_value(inner, names)
        case ast.Call(args=[inner]):
            return _root(_value(inner, names))
    raise AssertionError(ast.dump(node))


def _finite(value: FloatOrArray) -> FloatOrArray:
    if isinstance(value, float) and not math.isfinite(value):
        raise ArithmeticError("it is not finite")
    return value


def _root(value: FloatOrArray) -> FloatOrArray:
    root = value**0.5
    if isinstance(root, complex):
        raise ArithmeticError("a root of a negative number")
    return root

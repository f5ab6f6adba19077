"""Calls written as Python source, as prompted models of BFCL answer: for recorded outputs only."""

import ast
from typing import Any

from harness.records import ToolCall

__all__ = ["pythonic_calls"]


def pythonic_calls(text: str) -> tuple[ToolCall, ...]:
    """The calls in a list of them, other elements left out. Raises ValueError if the text is no Python expression."""
    source = text.strip("`\n ")
    source = source if source.startswith("[") else "[" + source
    source = source if source.endswith("]") else source + "]"
    try:
        body = ast.parse(source.strip().strip("'"), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"no expression: {error}") from error
    return tuple(_calls(body))


def _calls(node: ast.expr) -> list[ToolCall]:
    if isinstance(node, ast.Call):
        arguments = {str(one.arg): _value(one.value) for one in node.keywords}
        return [ToolCall(name=ast.unparse(node.func), arguments=arguments)]
    if isinstance(node, ast.List | ast.Tuple):
        return [call for element in node.elts for call in _calls(element)]
    return []


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant():
            return "..." if node.value is Ellipsis else node.value
        case ast.List() | ast.Tuple():
            return [_value(one) for one in node.elts]
        case ast.Dict():
            return {str(_value(key)): _value(one) for key, one in zip(node.keys, node.values, strict=True) if key}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Call() if node.keywords:
            return {ast.unparse(node.func): {str(one.arg): _value(one.value) for one in node.keywords}}
        case ast.BinOp():
            return _computed(node)
        case _:
            return ast.unparse(node)


def _computed(node: ast.BinOp) -> Any:
    """The value of a sum or the like of numbers. Raises ValueError for anything else, as a name has no value."""
    numbers = [value for side in (node.left, node.right) if isinstance(value := _value(side), int | float)]
    if len(numbers) != 2:
        raise ValueError(f"no value: {ast.unparse(node)}")
    left, right = numbers
    match node.op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.Pow() if abs(left) < 1000 and abs(right) < 100:
            return left**right
        case _:
            raise ValueError(f"no value: {ast.unparse(node)}")

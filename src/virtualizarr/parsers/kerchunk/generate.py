"""`gen` entries: references given by a rule over index ranges instead of one by one.

Expressions are integer arithmetic over the dimensions' names, evaluated here on int64 columns; no
expression is ever executed. The number of references made is limited.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.kerchunk.templates import Templates, split_placeholders

MAX_GENERATED = 1_000_000
MAX_EXPRESSION = 200
MAX_VALUE = 2.0**62

type Ints = npt.NDArray[np.int64]
type Environment = Mapping[str, Ints | list[str]]


def generated(entries: Sequence[Any], templates: Templates) -> dict[str, list[Any]]:
    """Return the references that `gen` entries stand for.

    Raises CorruptFileError for malformed entries, UnsupportedFeatureError for expressions beyond
    integer arithmetic and for more than `MAX_GENERATED` references.
    """
    refs: dict[str, list[Any]] = {}
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise CorruptFileError(f"a 'gen' entry is of type {type(entry).__name__}")
        environment, count = _environment(entry, MAX_GENERATED - len(refs))
        keys = _texts(_field(entry, "key"), environment, templates, count)
        urls = _texts(_field(entry, "url"), environment, templates, count)
        if entry.get("offset") is None and entry.get("length") is None:
            refs.update((key, [url]) for key, url in zip(keys, urls, strict=True))
            continue
        offsets = _integers(_field(entry, "offset"), environment, count)
        lengths = _integers(_field(entry, "length"), environment, count)
        refs.update(zip(keys, map(list, zip(urls, offsets, lengths, strict=True)), strict=True))
    return refs


def _field(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise CorruptFileError(f"a 'gen' entry has no text {name!r}: {value!r}")
    return value


def _environment(entry: Mapping[str, Any], allowed: int) -> tuple[Environment, int]:
    """Return the columns of the dimensions' product, the last varying fastest, and its size."""
    dimensions = entry.get("dimensions")
    if not isinstance(dimensions, Mapping) or not dimensions:
        raise CorruptFileError("a 'gen' entry has no 'dimensions'")
    axes = {str(name): _axis(str(name), values) for name, values in dimensions.items()}
    count = prod(len(values) for values in axes.values())
    if count > allowed:
        raise UnsupportedFeatureError(
            f"'gen' entries stand for {count:,} references or more, the limit is {MAX_GENERATED:,}"
        )
    if count == 0:
        return {name: np.zeros(0, np.int64) for name in axes}, 0
    shape = tuple(len(values) for values in axes.values())
    index = np.indices(shape).reshape(len(shape), -1)
    columns: dict[str, Ints | list[str]] = {}
    for (name, values), places in zip(axes.items(), index, strict=True):
        if isinstance(values, list):
            columns[name] = [values[place] for place in places.tolist()]
        else:
            columns[name] = np.asarray(values)[places]
    return columns, count


def _axis(name: str, values: Any) -> range | Ints | list[str]:
    if isinstance(values, Mapping):
        bounds: list[Any] = [values.get("start", 0), values.get("stop"), values.get("step", 1)]
        if not all(map(_is_integer, bounds)) or bounds[2] == 0:
            raise CorruptFileError(f"dimension {name!r} of a 'gen' entry is {dict(values)!r}")
        return range(*bounds)
    if isinstance(values, list) and all(map(_is_integer, values)):
        return np.array(values, np.int64)
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return values
    raise CorruptFileError(f"dimension {name!r} of a 'gen' entry is {values!r:.80}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_VALUE


def _texts(text: str, environment: Environment, templates: Templates, count: int) -> list[str]:
    """Return the text for every combination of indices."""
    parts = split_placeholders(text)
    columns: list[Sequence[str]] = []
    for i, part in enumerate(parts):
        name = part.strip()
        if i % 2 == 0:
            columns.append([part] * count)
        elif isinstance(column := environment.get(name), list):
            columns.append(column)
        elif name in templates.texts and name not in environment:
            columns.append([templates.value(name)] * count)
        else:
            columns.append(list(map(str, _evaluate(part, environment, count).tolist())))
    return list(map("".join, zip(*columns, strict=True)))


def _integers(text: str, environment: Environment, count: int) -> list[int]:
    parts = split_placeholders(text)
    if len(parts) == 1:
        parts, environment = ["", parts[0], ""], {}
    if len(parts) != 3 or parts[0].strip() or parts[2].strip():
        raise UnsupportedFeatureError(f"'gen' expression {text[:80]!r}")
    values: list[int] = _evaluate(parts[1], environment, count).tolist()
    return values


def _evaluate(expression: str, environment: Environment, count: int) -> Ints:
    """Return the value of an arithmetic expression for every combination of indices."""
    if len(expression) > MAX_EXPRESSION:
        raise UnsupportedFeatureError(f"'gen' expression of {len(expression)} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnsupportedFeatureError(f"'gen' expression {expression!r}") from error
    return np.broadcast_to(_value(tree.body, environment, expression), (count,))


def _value(node: ast.expr, environment: Environment, expression: str) -> Ints:
    match node:
        case ast.Constant(value=int(number)) if _is_integer(number):
            return np.asarray(number, np.int64)
        case ast.Name(id=name) if isinstance(column := environment.get(name), np.ndarray):
            return column
        case ast.Name(id=name):
            raise CorruptFileError(f"'gen' expression {expression!r}: {name!r} is no index")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            value = _value(operand, environment, expression)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=operator, right=right):
            one = _value(left, environment, expression)
            two = _value(right, environment, expression)
            return _binary(operator, one, two, expression)
    raise UnsupportedFeatureError(f"'gen' expression {expression!r}: only + - * // % of indices")


def _binary(operator: ast.operator, one: Ints, two: Ints, expression: str) -> Ints:
    if isinstance(operator, ast.FloorDiv | ast.Mod) and not np.all(two):
        raise CorruptFileError(f"'gen' expression {expression!r} divides by zero")
    match operator:
        case ast.Add():
            result, size = one + two, np.abs(one.astype(float)) + np.abs(two.astype(float))
        case ast.Sub():
            result, size = one - two, np.abs(one.astype(float)) + np.abs(two.astype(float))
        case ast.Mult():
            result, size = one * two, np.abs(one.astype(float) * two.astype(float))
        case ast.FloorDiv():
            result, size = one // two, np.zeros(())
        case ast.Mod():
            result, size = one % two, np.zeros(())
        case _:
            raise UnsupportedFeatureError(
                f"'gen' expression {expression!r}: only + - * // % of indices"
            )
    if size.size and float(np.max(size)) >= MAX_VALUE:
        raise CorruptFileError(f"'gen' expression {expression!r} overflows")
    return np.asarray(result, np.int64)

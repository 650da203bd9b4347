"""ODL, the Object Description Language, as HDF-EOS2 writes it into `StructMetadata.0`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_DEPTH = 16
OPENING, CLOSING = ("GROUP", "OBJECT"), ("END_GROUP", "END_OBJECT")

type Value = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A GROUP or OBJECT: its values by name, and the nodes in it.

    Values are texts as they are written, without quotes; lists in parentheses are tuples of such.
    """

    name: str
    values: dict[str, Value] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def under(self, name: str) -> list[Node]:
        """Return the nodes within the groups of that name."""
        return [node for group in self.nodes if group.name == name for node in group.nodes]

    def text(self, name: str) -> str:
        """Return a value; "" if there is none, or if it is a list."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else ""

    def items(self, name: str) -> tuple[str, ...]:
        """Return a list; a single value is a list of one, an empty one of none."""
        value = self.values.get(name, "")
        return value if isinstance(value, tuple) else (value,) if value else ()

    def integer(self, name: str) -> int | None:
        """Return a whole number; None if the value is none."""
        try:
            return int(self.text(name))
        except ValueError:
            return None

    def reals(self, name: str) -> tuple[float, ...]:
        """Return a list of numbers; empty if one of them is none."""
        try:
            return tuple(map(float, self.items(name)))
        except ValueError:
            return ()


def decode_odl(text: str) -> Node:
    """Return the root of a text; what is no statement is left out."""
    root = Node("")
    path = [root]
    for name, value in _statements(text):
        if name in OPENING:
            node = Node(value)
            path[-1].nodes.append(node)
            if len(path) == MAX_DEPTH:
                return root
            path.append(node)
        elif name in CLOSING:
            if len(path) > 1:
                path.pop()
        else:
            path[-1].values[name] = _decoded(value)
    return root


def _statements(text: str) -> Iterator[tuple[str, str]]:
    """Yield names and values; a list may go over several lines."""
    lines = iter(text.splitlines())
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals:
            continue
        value = value.strip()
        while value.startswith("(") and ")" not in value:
            following = next(lines, None)
            if following is None:
                break
            value += following.strip()
        yield name.strip(), value


def _decoded(value: str) -> Value:
    if value.startswith("("):
        items = value.strip("()").split(",")
        return tuple(item.strip().strip('"') for item in items if item.strip())
    return value.strip('"')


def values_of(node: Node, names: tuple[str, ...]) -> Mapping[str, str | int | float | list[float]]:
    """Return values as attributes: numbers as numbers, lists of numbers as lists."""
    found: dict[str, str | int | float | list[float]] = {}
    for name in names:
        if name not in node.values:
            continue
        numbers = node.reals(name)
        whole = node.integer(name)
        if isinstance(node.values[name], tuple) and numbers:
            found[name] = list(numbers)
        else:
            found[name] = whole if whole is not None else ", ".join(node.items(name))
    return found

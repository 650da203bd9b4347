"""Damage: copies of a file with bytes changed, cut off, spliced in, swapped, or numbers replaced.

`edges` are the places where a structure of the file begins or ends; damage gathers around them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

type Damage = Callable[[bytearray, Sequence[int], random.Random], None]

SPECIAL_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
JSON_VALUE = re.compile(rb'"(?:[^"\\]|\\.){0,200}"|-?\d+(?:\.\d+)?|true|false|null|\[\]|\{\}')
ODD_NUMBERS = (
    *(b"-1", b"0", b"1", b"2", b"255", b"65536", b"2147483648", b"4294967296"),
    *(b"9223372036854775807", b"18446744073709551616", b"1e400", b"NaN", b"0.5", b"9" * 40),
)
ODD_VALUES = (
    *(b"null", b"true", b"[]", b"{}", b'""', b'"x"', b"-1", b"1e999", b"[[[[1]]]]", b'{"a": {}}'),
    *(b'"../../../x"', b'"\\ud800"', b'"\\u0000"', b"[null]", b'{"": null}'),
)
TEXT_WINDOW = 64


def mutant(whole: bytes, edges: Sequence[int], chance: random.Random) -> bytes:
    """Return a copy of `whole` with one to three kinds of damage, repeatable by `chance`."""
    damaged = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if damaged:
            chance.choice(_suitable(damaged))(damaged, edges, chance)
    return bytes(damaged)


def _suitable(data: bytearray) -> Sequence[Damage]:
    head = bytes(data[:4096])
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in head)
    return TEXT if printable > 0.97 * len(head) else MIXED if printable > len(head) // 2 else BINARY


def place(data: bytearray, edges: Sequence[int], chance: random.Random, align: int = 1) -> int:
    """Return a position: near an edge, among the first kilobyte, or anywhere."""
    kind = chance.randrange(4)
    if kind < 2 and edges:
        at = chance.choice(edges) + chance.randrange(-8, 64)
    elif kind == 2:
        at = chance.randrange(min(len(data), 1024))
    else:
        at = chance.randrange(len(data))
    return min(max(at, 0), len(data) - 1) // align * align


def flip_bits(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        data[place(data, edges, chance)] ^= 1 << chance.randrange(8)


def set_bytes(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 2, 6))):
        data[place(data, edges, chance)] = chance.choice((*SPECIAL_BYTES, chance.randrange(256)))


def fill_run(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    at = place(data, edges, chance)
    stop = min(len(data), at + chance.choice((2, 4, 8, 16, 100)))
    data[at:stop] = bytes([chance.choice(SPECIAL_BYTES)]) * (stop - at)


def extreme_integer(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    """Put an integer where one may stand: an extreme, a near miss, or a place in the file."""
    width = chance.choice((1, 2, 4, 8))
    order = chance.choice(("little", "big"))
    at = place(data, edges, chance, chance.choice((1, width)))
    most = (1 << 8 * width) - 1
    now = int.from_bytes(data[at : at + width], order)
    values = (
        *(0, 1, most, most - 1, most >> 1, (most >> 1) + 1, now + 1, now - 1, now << 1, now >> 1),
        *(at, len(data), len(data) - 1, len(data) + 1, chance.randrange(len(data))),
        *(1 << chance.randrange(8 * width), chance.choice(edges) if edges else 0),
    )
    value = chance.choice(values) & most
    data[at : at + width] = value.to_bytes(width, order)[: len(data) - at]


def copy_piece(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    """Write over a piece with another of the file, so that pointers lead astray or in circles."""
    width = chance.choice((1, 2, 4, 8, 8, 16, 64, 512))
    source, at = (place(data, edges, chance, chance.choice((1, min(width, 8)))) for _ in "12")
    piece = bytes(data[source : source + width])
    data[at : at + width] = piece[: len(data) - at]


def swap_blocks(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    first, second = sorted(place(data, edges, chance, 4) for _ in "12")
    width = min(chance.choice((4, 8, 32, 256, 4096)), second - first, len(data) - second)
    one, other = bytes(data[first : first + width]), bytes(data[second : second + width])
    data[first : first + width], data[second : second + width] = other, one


def truncate(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    near = bool(edges) and chance.random() < 0.8
    at = chance.choice(edges) + chance.choice((-1, 0, 0, 1)) if near else place(data, edges, chance)
    del data[max(at, 0) :]


def splice(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    """Insert or remove some bytes, so that lengths and offsets no longer fit."""
    at = place(data, edges, chance)
    width = chance.choice((1, 2, 4, 8, 60, 512))
    if chance.random() < 0.5:
        del data[at : at + width]
    else:
        data[at:at] = chance.randbytes(width)


def append(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    data += chance.choice((bytes(100), b"\xff" * 7, bytes(data[:512]), chance.randbytes(64)))


def other_number(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    """Replace a number written in digits."""
    _replace(data, edges, chance, NUMBER, ODD_NUMBERS)


def other_value(data: bytearray, edges: Sequence[int], chance: random.Random) -> None:
    """Replace a JSON value by one of another kind."""
    _replace(data, edges, chance, JSON_VALUE, ODD_VALUES)


def _replace(
    data: bytearray,
    edges: Sequence[int],
    chance: random.Random,
    pattern: re.Pattern[bytes],
    values: Sequence[bytes],
) -> None:
    at = place(data, edges, chance)
    found = list(pattern.finditer(data, at, at + TEXT_WINDOW * 8))
    if found:
        match = chance.choice(found)
        keep_width = chance.random() < 0.3
        value = chance.choice(values)
        if keep_width:
            value = value.rjust(match.end() - match.start())[: match.end() - match.start()]
        data[match.start() : match.end()] = value


BINARY: Sequence[Damage] = (
    *(flip_bits, set_bytes, fill_run, extreme_integer, extreme_integer, extreme_integer),
    *(copy_piece, copy_piece, swap_blocks, truncate, splice, append),
)
MIXED: Sequence[Damage] = (*BINARY, other_number, other_number, other_value)
TEXT: Sequence[Damage] = (
    *(flip_bits, set_bytes, copy_piece, swap_blocks, truncate, splice, append),
    *(other_number, other_number, other_number, other_value, other_value, other_value),
)

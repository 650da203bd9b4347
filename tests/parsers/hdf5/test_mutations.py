"""Broken files: whatever is changed or cut off, only errors of our tree leave the parser, soon."""

from __future__ import annotations

import random
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from parsers.hdf5.reading_files import open_local
from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

SHARED = Path(__file__).parents[4] / "shared/data"
LARGEST = 40_000  # bytes of a file to be mutated
MUTANTS = 2000
SECONDS = 2.0
FREE_BYTES = 72_000_000  # what the columns of a sparse grid may take, whatever the file's size


@pytest.fixture(scope="module")
def files() -> list[Path]:
    found = [
        path
        for folder in ("hdf5", "hdf5-corpus")
        for path in sorted((SHARED / folder).rglob("*"))
        if path.is_file() and 200 < path.stat().st_size < LARGEST
    ]
    if not found:
        pytest.skip("shared data are not here")
    return found


def mutated(data: bytes, choice: random.Random) -> bytes:
    changed = bytearray(data)
    reach = min(len(data), choice.choice((200, 2000, LARGEST)))
    for _ in range(choice.choice((1, 1, 2, 5, 20))):
        at = choice.randrange(reach)
        width = choice.choice((1, 2, 4, 8))
        match choice.randrange(4):
            case 0:
                changed[at : at + 1] = bytes(
                    [changed[min(at, len(changed) - 1)] ^ 1 << choice.randrange(8)]
                )
            case 1:
                changed[at : at + width] = choice.choice((b"\xff", b"\0", b"\x7f")) * width
            case 2:
                changed[at : at + width] = choice.randbytes(width)
            case _:
                del changed[max(1, at) :]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_mutants(files: list[Path], seed: int) -> None:
    choice = random.Random(seed)
    for _ in range(MUTANTS // 4):
        path = choice.choice(files)
        data = mutated(path.read_bytes(), choice)
        url = path.as_uri()
        started = time.process_time()
        with suppress(VirtualizeError):
            run(HDFParser().parse(url), BytesSource(data, url), open_local)
        assert time.process_time() - started < SECONDS, path


def test_mutants_take_no_more_memory_than_their_size_allows(files: list[Path]) -> None:
    choice = random.Random(99)
    for _ in range(200):
        path = choice.choice(files)
        data = mutated(path.read_bytes(), choice)
        tracemalloc.start()
        with suppress(VirtualizeError):
            run(HDFParser().parse(path.as_uri()), BytesSource(data, path.as_uri()), open_local)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < FREE_BYTES + 20 * len(data), path

"""A conformance suite for parsers, ours and anybody's: subclass `ParserConformance` for pytest.

The suite needs pytest, sample files and an oracle: another library that reads the same files. It
checks sniffing, values and attributes, what happens to truncated and mutated files, pickling, and
how many round trips and bytes a parse may take.
"""

from __future__ import annotations

import pickle
import random
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr

from virtualizarr import plugins
from virtualizarr.errors import UnknownFormatError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.model.json import to_json
from virtualizarr.parsers.base import Parser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.local import LocalSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.ranges import ByteBlocks, ByteRange
from virtualizarr.source.reading import run
from virtualizarr.source.urls import local_path
from virtualizarr.store import ManifestStore

STRANGERS = (
    b"",
    b"just a text file\n" * 50,
    b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    bytes(range(256)) * 8,
    b"\0" * 4096,
)
HEAD = 1024 * 1024
MEMORY_ALLOWANCE = 64 * 1024 * 1024
MEMORY_PER_BYTE = 20


class ParserConformance:
    """What every parser must hold. Subclass it, set `parser`, write `files` and `oracle`.

    `max_rounds` bounds the round trips of one parse behind the cache that remote files are read
    through. `mutants` is how many damaged copies of each file are tried.
    """

    parser: ClassVar[Parser]
    max_rounds: ClassVar[int] = 4
    mutants: ClassVar[int] = 60
    _samples: ClassVar[Sequence[Path]]

    def files(self, folder: Path) -> Sequence[Path]:
        """Return sample files, written into `folder` or found elsewhere."""
        raise NotImplementedError

    def oracle(self, path: Path) -> Mapping[str, Any]:
        """Return every variable's values by its path, as another library reads them."""
        raise NotImplementedError

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        """Return attributes by the path of their node, "" being the root; {} checks none."""
        del path
        return {}

    @pytest.fixture
    def samples(self, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
        """The files under test, made once for the class."""
        kind = type(self)
        if "_samples" not in vars(kind):
            kind._samples = tuple(self.files(tmp_path_factory.mktemp("samples")))
        return kind._samples

    def test_recognises_its_own_files_whatever_their_name(self, samples: Sequence[Path]) -> None:
        for path in samples:
            head = path.read_bytes()[:HEAD]
            assert self.parser.sniff(head, "file:///data.unknown")
            assert plugins.detect(head, "file:///data.unknown").name == self.parser.name

    @pytest.mark.parametrize("content", STRANGERS, ids=["empty", "text", "html", "bytes", "zeros"])
    def test_leaves_strangers_alone(self, content: bytes) -> None:
        assert not self.parser.sniff(content, f"file:///data{self.parser.suffixes[0]}")
        with pytest.raises(UnknownFormatError):
            plugins.detect(content, "file:///data.unknown")

    @pytest.mark.parametrize("content", STRANGERS, ids=["empty", "text", "html", "bytes", "zeros"])
    def test_refuses_strangers_it_is_forced_upon(self, content: bytes) -> None:
        with pytest.raises(VirtualizeError, match="memory://stranger"):
            run(
                self.parser.parse("memory://stranger"),
                BytesSource(content, "memory://stranger"),
            )

    def test_values_equal_the_oracle(self, samples: Sequence[Path]) -> None:
        for path in samples:
            found = read_values(parse_file(self.parser, path))
            expected = self.oracle(path)
            assert found.keys() == expected.keys()
            for name, values in expected.items():
                assert same_values(found[name], values), f"{path.name}: {name}"

    def test_attributes_equal_the_oracle(self, samples: Sequence[Path]) -> None:
        for path in samples:
            found = attributes_of(parse_file(self.parser, path))
            for node, expected in self.oracle_attributes(path).items():
                assert found[node] == to_json(expected), f"{path.name}: {node!r}"

    def test_rounds_stay_within_the_budget(self, samples: Sequence[Path]) -> None:
        for path in samples:
            source = BytesSource(path.read_bytes(), path.as_uri())
            run(self.parser.parse(path.as_uri()), CachingSource(source), neighbours)
            assert source.rounds <= self.max_rounds, path.name
            assert source.bytes_read <= max(2 * HEAD, path.stat().st_size), path.name

    def test_truncation_anywhere_is_noticed(self, samples: Sequence[Path]) -> None:
        for path in samples:
            whole = path.read_bytes()
            expected = self.oracle(path)
            for cut in sorted(cut_points(self.parser, whole, path.as_uri())):
                self._damaged_file_gives_values_or_an_error(path, whole[:cut], expected)

    def test_mutants_give_errors_of_our_tree(self, samples: Sequence[Path]) -> None:
        for path in samples:
            whole = path.read_bytes()
            for seed in range(self.mutants):
                self._damaged_file_gives_values_or_an_error(path, mutant(whole, seed), None)

    def test_parser_and_result_can_be_pickled(self, samples: Sequence[Path]) -> None:
        assert pickle.loads(pickle.dumps(self.parser)) == self.parser
        for path in samples:
            group = parse_file(self.parser, path)
            assert pickle.loads(pickle.dumps(group)) == group

    def test_two_parses_are_equal(self, samples: Sequence[Path]) -> None:
        for path in samples:
            assert parse_file(self.parser, path) == parse_file(self.parser, path)

    def _damaged_file_gives_values_or_an_error(
        self, path: Path, content: bytes, expected: Mapping[str, Any] | None
    ) -> None:
        """Parse a damaged copy: an error of our tree, or a result.

        With `expected`, a result must hold the right values or fail to read them with an error.
        """
        url = path.as_uri()
        outcome = parse_within_memory(self.parser, url, content)
        if isinstance(outcome, VirtualizeError):
            assert outcome.url == url
            return
        if expected is None:
            return
        damaged = path.with_name(f"damaged-{path.name}")
        damaged.write_bytes(content)
        try:
            moved = outcome.rename_paths(lambda old: damaged.as_uri() if old == url else old)
            found = read_values(moved)
        except VirtualizeError:
            return
        for name, values in expected.items():
            assert same_values(found[name], values), f"{len(content)} bytes of {path.name}: {name}"


def parse_within_memory(
    parser: Parser, url: str, content: bytes
) -> ManifestGroup | VirtualizeError:
    """Parse `content`, asserting that memory follows its size; errors of our tree are returned."""
    tracemalloc.start()
    try:
        return run(parser.parse(url), BytesSource(content, url), neighbours)
    except VirtualizeError as error:
        return error
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= MEMORY_ALLOWANCE + MEMORY_PER_BYTE * len(content)


def parse_file(parser: Parser, path: Path) -> ManifestGroup:
    """Parse a local file from memory."""
    source = BytesSource(path.read_bytes(), path.as_uri())
    return run(parser.parse(path.as_uri()), source, neighbours)


def neighbours(url: str) -> LocalSource:
    """Return the source of a local file that the file under test leads to."""
    return LocalSource(local_path(url))


def read_values(group: ManifestGroup) -> dict[str, Any]:
    """Return the decoded values of every array of a tree, by path, read through zarr."""
    root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
    return {path: root[path][...] for path, _ in walk_arrays(group)}  # type: ignore[index]


def walk_arrays(group: ManifestGroup, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and array of every array of a tree."""
    for name, array in group.arrays.items():
        yield prefix + name, array
    for name, child in group.groups.items():
        yield from walk_arrays(child, f"{prefix}{name}/")


def attributes_of(group: ManifestGroup, prefix: str = "") -> dict[str, Any]:
    """Return the attributes of every node of a tree by path, as JSON; the root's path is ""."""
    found: dict[str, Any] = {prefix.removesuffix("/"): to_json(group.attributes)}
    for name, array in group.arrays.items():
        found[prefix + name] = to_json(array.metadata.attributes)
    for name, child in group.groups.items():
        found |= attributes_of(child, f"{prefix}{name}/")
    return found


def same_values(found: Any, expected: Any) -> bool:
    """Say whether two arrays have equal shapes and values; NaN equals NaN, text equals text."""
    left, right = np.asarray(found), np.asarray(expected)
    if left.shape != right.shape:
        return False
    if left.dtype.kind in "OTSU" or right.dtype.kind in "OTSU":
        return list(map(_text, left.ravel().tolist())) == list(map(_text, right.ravel().tolist()))
    if left.dtype.fields is not None and left.dtype.names is not None:
        return left.dtype.names == right.dtype.names and all(
            same_values(left[name], right[name]) for name in left.dtype.names
        )
    if left.dtype.kind != right.dtype.kind and {left.dtype.kind, right.dtype.kind} != {"i", "u"}:
        return False
    return bool(np.array_equal(left, right, equal_nan=left.dtype.kind in "fc"))


def _text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def cut_points(parser: Parser, whole: bytes, url: str = "memory://recorder") -> set[int]:
    """Return lengths at which to cut a file: around every structure that the parser asks for."""
    source = _Recorder(whole, url)
    run(parser.parse(url), source, neighbours)
    edges = {
        edge for start, stop in source.asked for edge in (start, (start + stop) // 2, stop - 1)
    }
    spread = {len(whole) * i // 16 for i in range(16)}
    return {edge for edge in edges | spread | {len(whole) - 1} if 0 <= edge < len(whole)}


def mutant(whole: bytes, seed: int) -> bytes:
    """Return a damaged copy: a few bytes changed, mostly early, where metadata tend to lie."""
    chance = random.Random(seed)
    damaged = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        reach = chance.choice((min(len(damaged), 1024), len(damaged)))
        at = chance.randrange(reach)
        kind = chance.randrange(4)
        if kind == 0:
            damaged[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            damaged[at] = chance.choice((0x00, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            damaged[at : at + 4] = b"\xff" * len(damaged[at : at + 4])
        else:
            span = chance.randrange(1, 16)
            source = chance.randrange(len(damaged))
            piece = damaged[source : source + span]
            damaged[at : at + len(piece)] = piece[: len(damaged) - at]
    return bytes(damaged)


class _Recorder(BytesSource):
    """A file in memory that remembers what was asked of it."""

    def __init__(self, data: bytes, url: str) -> None:
        super().__init__(data, url)
        self.asked: list[tuple[int, int]] = []

    def read(self, requests: Sequence[ByteRange | ByteBlocks], /) -> list[Any]:
        for request in requests:
            if isinstance(request, ByteRange):
                self.asked.append((request.start, request.stop))
            else:
                self.asked += [(int(at), int(at) + request.size) for at in request.starts[:64]]
        return super().read(requests)

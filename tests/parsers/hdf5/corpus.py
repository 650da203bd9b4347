"""Compares our parser with h5py on many files, each reader in a process of its own."""

from __future__ import annotations

import os
import pickle
import select
import struct
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

WORKER = Path(__file__).with_name("corpus_worker.py")
HIDDEN = frozenset(
    {
        *("DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Coordinates", "_Netcdf4Dimid"),
        *("_NCProperties", "_nc3_strict", "CLASS", "NAME"),
    }
)
NOT_A_VARIABLE = "This is a netCDF dimension but not a netCDF variable"


class Worker:
    """One reader in a child process, which is started again if it dies or hangs."""

    def __init__(self, reader: str, seconds: float = 30) -> None:
        self.reader = reader
        self.seconds = seconds
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def send(self, path: Path) -> None:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER), self.reader],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        assert self.process.stdin is not None
        self.process.stdin.write(os.fsencode(path) + b"\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        """Return the report, or the text "crash" or "hang"."""
        head = self._read(8)
        if isinstance(head, str):
            return head
        body = self._read(struct.unpack("<Q", head)[0])
        return body if isinstance(body, str) else _Unpickler.loads(body)

    def _read(self, size: int) -> bytes | str:
        assert self.process is not None
        assert self.process.stdout is not None
        stream = self.process.stdout.fileno()
        data = bytearray()
        deadline = time.monotonic() + self.seconds
        while len(data) < size:
            ready, _, _ = select.select([stream], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                self.stop()
                return "hang"
            more = os.read(stream, min(size - len(data), 1 << 20))
            if not more:
                self.stop()
                return "crash"
            data += more
        return bytes(data)


class _Unpickler(pickle.Unpickler):
    """Finds the worker's `Report` (its module is `__main__` there) as a plain namespace."""

    @staticmethod
    def loads(data: bytes) -> Any:
        import io

        return _Unpickler(io.BytesIO(data)).load()

    def find_class(self, module: str, name: str) -> Any:
        return Report if name == "Report" else super().find_class(module, name)


@dataclass
class Report:
    values: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@dataclass
class Verdict:
    """Datasets by class, with what to say of those that are not right; the file's own class."""

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, note: str = "") -> None:
        self.counts[kind] += 1
        if note:
            self.notes.append(f"{kind}: {note}")


def compare(path: Path, ours: Any, oracle: Any) -> Verdict:
    """Classify every dataset and the attributes of every node.

    right, wrong, refused (by us, by name), crash; `unchecked` where h5py gives nothing to compare.
    """
    verdict = Verdict(path)
    if isinstance(ours, str) or ours.broken:
        verdict.add("crash", ours if isinstance(ours, str) else str(ours.broken))
        if isinstance(ours, str) or "" in ours.broken:
            return verdict
    if isinstance(oracle, str):
        oracle = Report(refused={"": oracle})
    if "" in oracle.refused:
        verdict.add("refused by both" if ours.refused else "unchecked file", _first(ours.refused))
        return verdict
    if "" in ours.refused:
        verdict.add("refused file", ours.refused[""])
        return verdict
    for name, expected in oracle.values.items():
        _compare_dataset(verdict, ours, oracle, name, expected)
    for name in sorted(ours.values.keys() - oracle.values.keys()):
        if _shown(name, oracle) is None:
            verdict.add("unchecked", f"{name}: {oracle.refused.get(name, 'not in h5py')}")
    for name, expected in oracle.attributes.items():
        _compare_attributes(verdict, ours, name, expected)
    return verdict


def _first(refused: dict[str, str]) -> str:
    return next(iter(refused.values()), "")


def _shown(name: str, oracle: Report) -> str | None:
    head, _, tail = name.rpartition("/")
    prefixed = f"{head}/_nc4_non_coord_{tail}".lstrip("/")
    return prefixed if prefixed in oracle.values else None


def _compare_dataset(
    verdict: Verdict, ours: Report, oracle: Report, name: str, expected: Any
) -> None:
    hint = str(oracle.attributes.get(name, {}).get("NAME", ""))
    if hint.startswith(NOT_A_VARIABLE):
        return
    head, _, tail = name.rpartition("/")
    plain = f"{head}/{tail.removeprefix('_nc4_non_coord_')}".lstrip("/")
    if plain in ours.values:
        same = equal(ours.values[plain], expected)
        verdict.add(
            "right" if same else "wrong", "" if same else _difference(plain, ours, expected)
        )
    elif any(plain == key or plain.startswith(f"{key}/") for key in ours.refused):
        reason = next(r for k, r in ours.refused.items() if plain == k or plain.startswith(f"{k}/"))
        verdict.add("refused", f"{plain}: {reason}")
    elif plain in ours.broken:
        pass
    elif any(value for key, value in ours.refused.items() if key.split("/")[-1] == tail):
        verdict.add("refused", f"{plain}: under another name")
    else:
        verdict.add("wrong", f"{plain}: missing")


def _difference(name: str, ours: Report, expected: Any) -> str:
    return f"{name}: {str(ours.values[name])[:150]} is not {str(expected)[:150]}"


def equal(ours: Any, expected: Any) -> bool:
    """Compare values; ours may be longer along axes that netCDF lengthens."""
    kind, shape, values = expected
    our_kind, our_shape, our_values = ours
    if kind == "record":
        return bool(
            our_kind == "record"
            and values.keys() == our_values.keys()
            and all(equal(our_values[key], values[key]) for key in values)
        )
    if kind == "array":
        if not values and 0 in our_shape:
            return True
        if our_kind != "array" or len(our_shape) != len(shape):
            return False
        texts = np.array([*our_values, None], object)[:-1].reshape(our_shape)
        cut = texts[tuple(slice(0, n) for n in shape)] if shape else texts
        return cut.reshape(-1).tolist() == [*values]
    if our_kind != "numpy" or len(our_shape) != len(shape):
        return False
    part = our_values[tuple(slice(0, n) for n in shape)]
    if part.shape != values.shape or part.dtype.kind != values.dtype.kind:
        return False
    if values.dtype.kind == "V":
        return bool(part.tobytes() == values.tobytes())
    return bool(np.array_equal(part, values, equal_nan=values.dtype.kind in "fc"))


def _compare_attributes(verdict: Verdict, ours: Report, name: str, expected: Any) -> None:
    head, _, tail = name.rpartition("/")
    found = ours.attributes.get(f"{head}/{tail.removeprefix('_nc4_non_coord_')}".lstrip("/"))
    if found is None:
        return
    for key, value in expected.items():
        if key in HIDDEN or value == "<unreadable>":
            continue
        if key not in found:
            verdict.add("attribute missing", f"{name}@{key}")
        elif not _same(found[key], value):
            verdict.add(
                "attribute differs", f"{name}@{key}: {found[key]!r:.80} is not {value!r:.80}"
            )
        else:
            verdict.add("attribute right")


def _same(ours: Any, expected: Any) -> bool:
    if isinstance(ours, list) and isinstance(expected, list):
        return len(ours) == len(expected) and all(
            _same(a, b) for a, b in zip(ours, expected, strict=True)
        )
    if isinstance(ours, dict) and isinstance(expected, dict):
        return ours.keys() == expected.keys() and all(_same(ours[k], expected[k]) for k in ours)
    if isinstance(ours, str) and isinstance(expected, str):
        return ours.rstrip() == expected.rstrip() or ours.rstrip("\0 ") == expected.rstrip("\0 ")
    return bool(ours == expected)


def compare_files(paths: list[Path]) -> list[Verdict]:
    """Read every file with both readers, side by side."""
    verdicts = []
    with Worker("ours") as ours, Worker("h5py") as oracle:
        for path in paths:
            ours.send(path)
            oracle.send(path)
            found = ours.receive()
            verdicts.append(compare(path, found, oracle.receive()))
    return verdicts


def table(verdicts: list[Verdict]) -> str:
    """Return the totals, and each note, as text."""
    total: Counter[str] = Counter()
    for verdict in verdicts:
        total += verdict.counts
    lines = [f"{len(verdicts)} files"] + [f"{n:7d}  {kind}" for kind, n in total.most_common()]
    return "\n".join(lines)


if __name__ == "__main__":
    import argparse

    options = argparse.ArgumentParser()
    options.add_argument("paths", nargs="+", type=Path)
    options.add_argument("--notes", action="store_true")
    given = options.parse_args()
    files = sorted(
        each
        for path in given.paths
        for each in (path.rglob("*") if path.is_dir() else [path])
        if each.is_file()
    )
    results = compare_files(files)
    if given.notes:
        for result in results:
            for note in result.notes:
                print(f"{result.path.name}: {note}")
    print(table(results))

"""A writer that is killed at any point leaves the old references whole, or the new ones."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from strategies import assert_same_tree
from virtualizarr.api import parse
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.parsers import KerchunkJSONParser, KerchunkParquetParser
from virtualizarr.writers import kerchunk

KILLS = 50

WRITER = """
import os, signal, sys, time, warnings
sys.path[:0] = {path!r}
warnings.simplefilter("ignore")
from test_kerchunk_killed import tree
from virtualizarr.writers import kerchunk
group = tree(int({cells}), "new")
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    child = os.fork()
    if not child:
        kerchunk.write(group, {target!r}, format={form!r}, record_size=500)
        os._exit(0)
    if float(line) >= 0:
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(time.perf_counter() - began, flush=True)
"""


def tree(cells: int, name: str) -> ManifestGroup:
    """Arrays with many references to a file of this name."""
    metadata = ArrayMetadata.create(shape=(cells,), dtype=np.dtype("u1"), chunk_shape=(1,))
    numbers = np.arange(1, cells + 1, dtype=np.uint64)
    manifest = ChunkManifest.from_columns(
        (Location(f"s3://bucket/{name}"),), np.zeros(cells, np.uint32), numbers, numbers
    )
    array = ManifestArray(metadata, manifest)
    return ManifestGroup({"a": array}, {"g": ManifestGroup({"b": array})})


def digest(path: Path) -> str:
    """Return a hash of all names and bytes at a path."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(path.parent)}\0".encode() + file.read_bytes())
    return total.hexdigest()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize("form", ["json", "parquet"])
def test_killed_at_random_points(tmp_path, form):
    target = tmp_path / f"refs.{form}"
    old, new = tree(3_000, "old"), tree(20_000, "new")
    kerchunk.write(new, target, format=form, record_size=500)
    complete = digest(target)
    kerchunk.write(old, target, format=form, record_size=500)
    before = digest(target)
    code = WRITER.format(
        path=[str(Path(__file__).parent), str(Path(__file__).parents[1])],
        cells=20_000,
        target=str(target),
        form=form,
    )
    source = random.Random(7)
    outcomes = {"old": 0, "new": 0}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        def attempt(delay: float) -> float:
            process.stdin.write(f"{delay}\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        whole = attempt(-1)
        assert digest(target) == complete
        kerchunk.write(old, target, format=form, record_size=500)
        for _ in range(KILLS):
            attempt(source.random() * whole)
            found = digest(target)
            assert found in (before, complete)
            outcomes["old" if found == before else "new"] += 1
            if found == complete:
                kerchunk.write(old, target, format=form, record_size=500)
        attempt(-1)
        process.stdin.close()
        process.wait(10)
    assert outcomes["old"] > KILLS // 4
    assert digest(target) == complete
    parser = KerchunkJSONParser() if form == "json" else KerchunkParquetParser()
    assert_same_tree(parse(target, parser=parser), new)

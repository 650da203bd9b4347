"""What is damaged: small files of every format, made by other libraries, and files of the corpora.

The samples of the conformance suites are seeds; so a format that gets a suite is fuzzed at once.
Formats of references, and stores of many files, are made here.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import h5py
import hdf5plugin  # before netCDF4, to whose libhdf5 its plugins would be bound
import numpy as np

import virtualizarr
from fuzzing.seed import CORPUS, REFERENCES, TESTS, Seed, parser_of, write_index
from virtualizarr import plugins
from virtualizarr.testing import ParserConformance

HEAD = 1 << 20
LARGEST = 64 * 1024  # bytes of a corpus file with all that belongs to it
SMALLEST = 8
NOT_SEEDS = frozenset({".md", ".json", ".txt", ".rst"})


type Builder = Callable[[Path], None]
"""Writes one file or directory, whose name is its last part, into an empty folder."""


def builders_of(name: str) -> dict[str, Builder]:
    """Return what makes the seeds of a format, by name.

    A parser named `x` has its suite in `conformance/test_x_conformance.py`, or in any other.
    """
    found: dict[str, Builder] = {}
    usual = TESTS / "conformance" / f"test_{name}_conformance.py"
    modules = [usual] if usual.exists() else sorted((TESTS / "conformance").glob("test_*.py"))
    if name not in REFERENCES:
        for suite in conformance_suites(modules):
            if hasattr(suite, "parser") and suite.parser.name == name:
                found[suite.__name__] = suite().files
    if name == "hdf5":
        found |= {"every_index": hdf5_indexes, "filters": hdf5_filters}
    if name in REFERENCES:
        module = importlib.import_module("fuzzing.reference_seeds")
        found |= {one: getattr(module, one) for one in REFERENCES[name].builders}
    if not found:
        raise LookupError(f"no seeds for {name}: it has no conformance suite, nor is it listed")
    return found


def conformance_suites(modules: Sequence[Path]) -> Iterator[type[ParserConformance]]:
    """Yield the conformance suites that these files define."""
    for path in modules:
        module = importlib.import_module(f"conformance.{path.stem}")
        for value in vars(module).values():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and issubclass(value, ParserConformance):
                yield value


def generated(name: str, folder: Path) -> list[Seed]:
    """Write the seeds of a format into `folder`, a folder each.

    What references lead to is kept elsewhere in it, and is not damaged.
    """
    seeds: list[Seed] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, build in builders_of(name).items():
            made = folder / f"made-{kind}"
            made.mkdir(parents=True)
            build(made)
            for path in sorted(made.iterdir()):
                if path.name.startswith("data-"):
                    continue
                home = folder / f"{kind}-{path.name}"
                home.mkdir()
                path.rename(home / path.name)
                seeds.append(seed_at(f"{kind}/{path.name}", home, path.name))
    return seeds


def seed_at(name: str, home: Path, target: str) -> Seed:
    """Return a seed of all that lies in `home`."""
    files = [path for path in home.rglob("*") if path.is_file() and path.stat().st_size]
    return Seed(name, home, target, sorted(str(path.relative_to(home)) for path in files))


def of_corpus(parser: str, corpus: Path, folder: Path) -> list[Seed]:
    """Return seeds copied from the corpora: small files that the parser takes for its own.

    The files beside one that share its stem belong to it.
    """
    seeds: list[Seed] = []
    for path in small_files(corpus).get(parser, ()):
        kin = [one for one in path.parent.glob(f"{path.stem}*") if one.is_file()]
        if sum(one.stat().st_size for one in kin) > 4 * LARGEST:
            continue
        home = folder / f"{CORPUS}{len(seeds)}"
        home.mkdir(parents=True)
        for one in kin:
            (home / one.name).write_bytes(one.read_bytes())
        name = str(path.relative_to(corpus))
        seeds.append(seed_at(name, home, path.name))
    return seeds


@cache
def small_files(corpus: Path) -> Mapping[str, Sequence[Path]]:
    """Return the small files of the corpora, by the name of the parser that takes them."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(corpus.rglob("*")):
        if path.suffix in NOT_SEEDS or not path.is_file():
            continue
        if SMALLEST < path.stat().st_size <= LARGEST:
            with path.open("rb") as file:
                head = file.read(HEAD)
            with suppress(virtualizarr.errors.VirtualizeError):
                found[plugins.detect(head, path.as_uri()).name].append(path)
    return found


def hdf5_indexes(folder: Path) -> None:
    """Write HDF5 files with every chunk index, heap and link that h5py can write."""
    for libver in ("earliest", "latest"):
        with h5py.File(folder / f"{libver}.h5", "w", libver=libver, track_order=True) as f:
            values = np.arange(60, dtype="i4").reshape(6, 10)
            f.create_dataset("fixed", data=values, chunks=(2, 5), compression=1)
            f.create_dataset("growing", data=values, chunks=(2, 5), maxshape=(None, 10))
            f.create_dataset("both", data=values, chunks=(2, 5), maxshape=(None, None), shuffle=1)
            f.create_dataset("one", data=values, chunks=(6, 10), fletcher32=True)
            f.create_dataset("text", data=["a", "longer", ""], dtype=h5py.string_dtype())
            f.create_dataset("ragged", (3,), h5py.vlen_dtype("i2"))[0] = [1, 2]
            kind = np.dtype([("x", "f4"), ("n", "i2", (2,)), ("s", "S3")])
            f.create_dataset("records", data=np.zeros(4, kind), chunks=(2,))
            f.create_dataset("kinds", data=np.int8([0, 1]), dtype=h5py.enum_dtype({"a": 0, "b": 1}))
            group = f.create_group("many")
            for i in range(12):
                group.attrs[f"a{i}"] = np.full(20, i)
                group[f"link{i}"] = h5py.SoftLink("/fixed")
            group["beyond"] = h5py.ExternalLink("earliest.h5", "/one")
            f["fixed"].make_scale("y")
            f["growing"].dims[0].attach_scale(f["fixed"])
            layout = h5py.VirtualLayout((2, 6, 10), "i4")
            layout[0] = h5py.VirtualSource(".", "growing", (6, 10))
            f.create_virtual_dataset("virtual", layout)
            f.create_dataset("raw", (4,), "u1", external=[("outside.bin", 0, 4)])


def hdf5_filters(folder: Path) -> None:
    """Write HDF5 files with every filter that h5py and hdf5plugin write, four datasets each.

    More arrays of one file would not be read.
    """
    plans: list[dict[str, object]] = [
        dict(hdf5plugin.FciDecomp()),
        {"compression": "lzf"},
        {"compression": "szip"},
        {"scaleoffset": 0},
        dict(hdf5plugin.Blosc(cname="lz4")),
        dict(hdf5plugin.Blosc2()),
        dict(hdf5plugin.Bitshuffle(cname="lz4")),
        dict(hdf5plugin.LZ4()),
        dict(hdf5plugin.BZip2()),
        dict(hdf5plugin.Zstd()),
        dict(hdf5plugin.Zfp(reversible=True)),
        dict(hdf5plugin.Bitshuffle(cname="none")),
    ]
    values = np.arange(600, dtype="<i4").reshape(20, 30) ** 2 % 1000
    for number, plan in enumerate(plans):
        with h5py.File(folder / f"{number // 4}.h5", "a") as f:
            kept = values.astype("<u2") if plan == plans[0] else values
            f.create_dataset(f"a{number % 4}", data=kept, chunks=(10, 30), **plan)


def main(corpus: Path, folder: Path, names: Sequence[str]) -> None:
    """Write the seeds of formats and their indexes, each into a folder of its name."""
    for name in names:
        home = folder / name
        seeds = generated(name, home / "made")
        if name not in REFERENCES and corpus.is_dir():
            seeds += of_corpus(name, corpus, home)
        write_index(home, parser_of(name), seeds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])

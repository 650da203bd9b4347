"""A seed: files to damage, and the index by which one process tells another of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from virtualizarr.plugins import GROUP

TESTS = Path(__file__).resolve().parents[1]
SHARED = TESTS.parents[1] / "shared" / "data"
INDEX = "index.json"
CORPUS = "corpus-"
"""How the folders of seeds from the corpora begin."""


@dataclass(frozen=True, slots=True)
class References:
    """A format of references or of many files: its parser, and the functions that make seeds."""

    parser: str
    builders: Sequence[str]


REFERENCES: Mapping[str, References] = {
    "chunk_manifest_json": References("zarr", ["chunk_manifest_json"]),
    "chunk_manifest_parquet": References("zarr", ["chunk_manifest_parquet"]),
    "icechunk": References("icechunk", ["icechunk_repository"]),
    "kerchunk": References("kerchunk", ["kerchunk_json", "kerchunk_json_3", "kerchunk_templates"]),
    "kerchunk_parquet": References("kerchunk_parquet", ["kerchunk_parquet"]),
    "safe": References("safe", ["safe_products"]),
    "zarr": References("zarr", ["zarr_directories"]),
    "zarr_zip": References("zarr", ["zarr_zips"]),
}
"""Formats whose seeds functions of `reference_seeds` make; others have a conformance suite."""


def format_names() -> list[str]:
    """Return everything that can be fuzzed: every installed parser, and every kind of store."""
    return sorted({point.name for point in entry_points(group=GROUP)} | REFERENCES.keys())


def parser_of(name: str) -> str:
    """Return the name of the parser of a format."""
    return REFERENCES[name].parser if name in REFERENCES else name


@dataclass(frozen=True, slots=True)
class Seed:
    """The files below `folder`: `target` is what is parsed, `damaged` are those to change."""

    name: str
    folder: Path
    target: str
    damaged: Sequence[str]

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def write_index(folder: Path, parser: str, seeds: Sequence[Seed]) -> None:
    """Say in `folder` which parser and which seeds a format has."""
    listed = [[s.name, str(s.folder), s.target, list(s.damaged)] for s in seeds]
    (folder / INDEX).write_text(json.dumps({"parser": parser, "seeds": listed}))


def read_index(folder: Path) -> tuple[str, list[Seed]]:
    """Return what `write_index` said."""
    index = json.loads((folder / INDEX).read_text())
    return index["parser"], [Seed(n, Path(f), t, d) for n, f, t, d in index["seeds"]]

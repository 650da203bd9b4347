"""The xarray engine "virtualizarr".

A file of an archive opens virtually, for combining and for writing references; with
`virtual=False` its values are read, through our parsers and zarr. A store of references opens
readable, for that is what it was written for; with `virtual=True` it opens virtually.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import xarray as xr
from xarray.backends import BackendEntrypoint

from virtualizarr.datasets.lazy import open_lazily
from virtualizarr.datasets.to_xarray import to_datatree, walk
from virtualizarr.datasets.virtual import Wanted, virtual_datasets
from virtualizarr.errors import VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsing import AnyParser, Parsed, parsed_input
from virtualizarr.plugins import detect, detect_directory
from virtualizarr.source.access import Access
from virtualizarr.source.open import Registry
from virtualizarr.source.policy import AllowedLocations
from virtualizarr.store import ManifestStore

REFERENCE_FORMATS = frozenset({"kerchunk", "kerchunk_parquet", "icechunk"})
"""Parsers of stores that hold references to other files; these open readable."""

MIXED_FORMATS = frozenset({"zarr"})
"""Parsers of stores that may hold references or be an archive; those with references open so."""

GUESSED_SUFFIXES = (".json", ".parquet", ".parq", ".icechunk", ".zarr")
MANIFEST_SIGN = b'"chunk-manifest-'
SNIFFED = 4096


DECODING = (
    "mask_and_scale",
    "decode_times",
    "concat_characters",
    "decode_coords",
    "use_cftime",
    "decode_timedelta",
)


@dataclass(frozen=True, slots=True)
class Request:
    """The engine's own arguments, and xarray's for decoding."""

    drop_variables: str | Collection[str] | None = None
    virtual: bool | None = None
    group: str | None = None
    loadable_variables: Collection[str] | None = None
    parser: AnyParser | None = None
    registry: Registry | None = None
    storage_options: Mapping[str, Any] | None = None
    allowed_locations: AllowedLocations | None = None
    decoding: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Sort keyword arguments. Raises TypeError for one that is not known."""
        decoding = {name: arguments[name] for name in DECODING if name in arguments}
        own = {name: value for name, value in arguments.items() if name not in decoding}
        return cls(**own, decoding=decoding)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The names of the variables to leave out."""
        if self.drop_variables is None:
            return ()
        names = self.drop_variables
        return (names,) if isinstance(names, str) else tuple(names)


class VirtualizarrBackendEntrypoint(BackendEntrypoint):
    """Virtual datasets through `xr.open_dataset(..., engine="virtualizarr")` and its relatives.

    Arguments of its own: `virtual` (None, True or False, see the module), `loadable_variables`,
    `parser`, `registry`, `storage_options`, `allowed_locations` and `group`, as in
    `virtualizarr.open_virtual_dataset`; the decoding arguments are xarray's. With
    `loadable_variables=[]`, pass `create_default_indexes=False` as well, since xarray would load
    coordinates to index them.
    """

    description = "Open archival files as virtual Zarr, and stores of references to them"
    url = "https://virtualizarr.readthedocs.io"
    supports_groups = True
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        *DECODING,
        "drop_variables",
        "virtual",
        "group",
        "loadable_variables",
        "parser",
        "registry",
        "storage_options",
        "allowed_locations",
    )

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Say yes to stores of references alone, never to a file of an archive."""
        if isinstance(filename_or_obj, Mapping):
            return "refs" in filename_or_obj and "version" in filename_or_obj
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = os.fspath(filename_or_obj).rstrip("/")
        if not path.lower().endswith(GUESSED_SUFFIXES):
            return False
        try:
            if os.path.isdir(path):
                return _is_store_of_references(path)
            with open(path, "rb") as file:
                return detect(file.read(SNIFFED), path).name in REFERENCE_FORMATS
        except (VirtualizeError, OSError):
            return False

    def open_dataset(self, filename_or_obj: Any, **arguments: Any) -> xr.Dataset:
        """Open one group; see the class for the arguments."""
        return _open(filename_or_obj, Request.of(arguments), lambda group: {"/": group})["/"]

    def open_groups_as_dict(self, filename_or_obj: Any, **arguments: Any) -> dict[str, xr.Dataset]:
        """Open every group as a Dataset, by path; see the class for the arguments."""
        return _open(filename_or_obj, Request.of(arguments), walk)

    def open_datatree(self, filename_or_obj: Any, **arguments: Any) -> xr.DataTree:
        """Open every group as a node of a DataTree; see the class for the arguments."""
        return to_datatree(self.open_groups_as_dict(filename_or_obj, **arguments))


def _is_store_of_references(path: str) -> bool:
    """Say whether a directory is one; a Zarr store is if its consolidated metadata say so."""
    kind = detect_directory(os.listdir(path), path).name
    if kind not in MIXED_FORMATS:
        return kind in REFERENCE_FORMATS
    with open(os.path.join(path, "zarr.json"), "rb") as file:
        return MANIFEST_SIGN in file.read()


def _open(
    source: Any, request: Request, choose: Callable[[ManifestGroup], dict[str, ManifestGroup]]
) -> dict[str, xr.Dataset]:
    """Open the groups that `choose` gives, by their path below the group asked for."""
    access = Access.of(request.registry, request.storage_options, request.allowed_locations)
    parsed = parsed_input(source, access, request.parser)
    root = f"/{request.group.strip('/')}" if request.group is not None else "/"
    nodes = choose(parsed.at(root))
    is_virtual = request.virtual
    if is_virtual is None:
        is_virtual = not _holds_references(parsed)
    try:
        return (_virtual if is_virtual else _readable)(parsed, nodes, request, root)
    except VirtualizeError as error:
        error.located(url=parsed.url)
        raise


def _holds_references(parsed: Parsed) -> bool:
    """Say whether what was parsed is a store of references, not a file of an archive."""
    if parsed.format in REFERENCE_FORMATS:
        return True
    return parsed.format in MIXED_FORMATS and any(
        location.referrer is not None for location in parsed.group.locations
    )


def _virtual(
    parsed: Parsed, nodes: Mapping[str, ManifestGroup], request: Request, root: str
) -> dict[str, xr.Dataset]:
    wanted = Wanted(
        drop_variables=request.dropped,
        loadable_variables=request.loadable_variables,
        decoding={k: v for k, v in request.decoding.items() if k != "decode_coords"},
    )
    return virtual_datasets(nodes, parsed.sources.open_location, wanted, root)


def _readable(
    parsed: Parsed, nodes: Mapping[str, ManifestGroup], request: Request, root: str
) -> dict[str, xr.Dataset]:
    options = request.storage_options
    store = ManifestStore(
        parsed.group,
        registry=request.registry,
        storage_options=dict(options) if options is not None else None,
        allowed_locations=request.allowed_locations,
    )
    return {
        path: open_lazily(
            group,
            store,
            root.rstrip("/") + path,
            drop_variables=request.dropped,
            **request.decoding,
        )
        for path, group in nodes.items()
    }

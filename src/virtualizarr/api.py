"""The functions a person calls: from URLs to virtual datasets, trees of arrays, and Zarr stores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from virtualizarr.datasets.many import OnError, Progress, Urls, open_many
from virtualizarr.datasets.parallel import Parallel
from virtualizarr.datasets.to_xarray import to_datatree, walk
from virtualizarr.datasets.virtual import Wanted, virtual_datasets
from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.examine.renaming import renamed_prefixes
from virtualizarr.model import ManifestGroup
from virtualizarr.model.append import plan_append, plan_region, region_of
from virtualizarr.model.dense import in_one_chunk
from virtualizarr.model.placing import carried_out
from virtualizarr.parsers.base import Parser
from virtualizarr.parsing import (
    AnyParser,
    Input,
    Parsed,
    References,
    Url,
    parsed_input,
    parsed_url_async,
    settled,
)
from virtualizarr.plugins import writer_for, writer_named
from virtualizarr.source.access import Access
from virtualizarr.source.listing import glob_urls
from virtualizarr.source.open import Registry
from virtualizarr.source.policy import AllowedLocations, named
from virtualizarr.store import ManifestStore

type Region = Literal["auto"] | Mapping[str, slice | Literal["auto"]]


def open_virtual_dataset(
    url: Input,
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    drop_variables: str | Collection[str] | None = None,
    loadable_variables: Collection[str] | None = None,
    decode_times: Any = None,
    *,
    group: str = "",
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> xr.Dataset:
    """Open a file as a Dataset of virtual variables, which hold references and no values.

    - `url`: a path or URL, kerchunk references as a dict, or what `parse` or `open_store` returned.
    - `registry`: says which object stores to read from; by default they are made from the URL, the
      environment and `storage_options`.
    - `parser`: the format's name or a parser; by default the content decides.
    - `group`: the path of the group to open.
    - `loadable_variables`: names of variables to load and decode. None loads dimension coordinates,
      so that xarray can align and sort by them; `[]` loads nothing.
    - `decode_times`: as in `xr.open_dataset`, for the loaded variables.
    - `allowed_locations`: where references that a file holds may lead, when values are read: a
      prefix of URLs or paths, several, or "all". By default to the scheme and host of that file;
      if it is local and there are `storage_options`, also to buckets; if there is a `registry`, to
      what it serves. References are data: who wrote them does not say what is read here.

    The file's URL is in `dataset.encoding["source"]`.

    Raises errors from `virtualizarr.errors`, with the URL: SourceError and its kinds if the file
    cannot be read, ForbiddenReferenceError if it may not, UnknownFormatError, CorruptFileError,
    UnsupportedFeatureError.
    """
    parsed = parsed_input(url, Access.of(registry, storage_options, allowed_locations), parser)
    wanted = Wanted(_names(drop_variables), loadable_variables, _decoding(decode_times))
    dataset = _datasets(parsed, {"/": parsed.at(group)}, wanted, group)["/"]
    if parsed.url is not None:
        dataset.encoding["source"] = parsed.url
    return dataset


def open_virtual_datatree(
    url: Input,
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    *,
    group: str = "",
    drop_variables: str | Collection[str] | None = None,
    loadable_variables: Collection[str] | None = None,
    decode_times: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> xr.DataTree:
    """Open a file with all its groups as a DataTree; see `open_virtual_dataset` for the rest.

    In `drop_variables` and `loadable_variables` a name holds in every group; in
    `loadable_variables` a path such as "/group/name" holds in one.
    """
    parsed = parsed_input(url, Access.of(registry, storage_options, allowed_locations), parser)
    wanted = Wanted(_names(drop_variables), loadable_variables, _decoding(decode_times))
    try:
        return to_datatree(_datasets(parsed, walk(parsed.at(group)), wanted, group))
    except VirtualizeError as error:
        error.located(url=parsed.url)
        raise


def open_virtual_mfdataset(
    urls: Urls,
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    concat_dim: Any = None,
    compat: Any = "no_conflicts",
    preprocess: Callable[[xr.Dataset], xr.Dataset] | None = None,
    data_vars: Any = "all",
    coords: Any = "different",
    combine: str = "by_coords",
    parallel: Parallel = False,
    join: Any = "outer",
    attrs_file: Url | None = None,
    combine_attrs: Any = "override",
    *,
    on_error: OnError = "raise",
    progress: Progress = None,
    **kwargs: Any,
) -> xr.Dataset:
    """Open many files as one virtual Dataset, as `xr.open_mfdataset` does with values.

    - `urls`: a glob, or a list of paths and URLs, nested for `combine="nested"` along more than one
      dimension.
    - `parallel`: False, "dask", "lithops", or a `concurrent.futures.Executor`, as an instance or a
      class. False opens remote files concurrently and local ones one by one.
    - `on_error`: what becomes of files that cannot be opened: "raise", "warn" or "skip".
    - `progress`: True shows a bar; a callable is told (files done, files in all).
    - `kwargs` go to `open_virtual_dataset`; the rest are those of `xr.open_mfdataset`.

    Raises CombineError, naming variable and file, where joining would give wrong values; else as
    `open_virtual_dataset`.
    """
    return open_many(
        _Opener(registry, parser, kwargs),
        urls,
        expand=_Expander(registry, kwargs.get("storage_options")),
        preprocess=preprocess,
        parallel=parallel,
        on_error=on_error,
        progress=progress,
        combine=combine,
        concat_dim=concat_dim,
        attrs_file=attrs_file,
        options={
            "compat": compat,
            "data_vars": data_vars,
            "coords": coords,
            "join": join,
            "combine_attrs": combine_attrs,
        },
    )


def parse(
    url: Url | References,
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> ManifestGroup:
    """Return a file's tree of virtual arrays; arguments and errors as `open_virtual_dataset`."""
    access = Access.of(registry, storage_options, allowed_locations)
    return parsed_input(url, access, parser).group


async def parse_async(
    url: Url,
    registry: Registry | None = None,
    parser: str | Parser | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> ManifestGroup:
    """The same as `parse`, on the running event loop, so that many files are parsed at a time.

    `parser` may not be a callable of VirtualiZarr 2.x, which blocks.
    """
    access = Access.of(registry, storage_options, allowed_locations)
    return await parsed_url_async(url, access, parser)


def open_store(
    url_or_group: Url | References | ManifestGroup,
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> ManifestStore:
    """Return a read-only Zarr store, for `zarr.open_group` or `xr.open_zarr`; errors as `parse`.

    Reading a chunk that `allowed_locations` does not cover raises ForbiddenReferenceError.
    """
    if isinstance(url_or_group, ManifestGroup):
        group = url_or_group
    else:
        access = Access.of(registry, storage_options, named(allowed_locations))
        group = parsed_input(url_or_group, access, parser).group
    options = dict(storage_options) if storage_options is not None else None
    return ManifestStore(
        group,
        registry=registry,
        storage_options=options,
        allowed_locations=named(allowed_locations),
    )


def convert(
    source: Input,
    target: Url,
    *,
    to: str | None = None,
    rename: Mapping[str, str] | None = None,
    parser: AnyParser | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> ManifestGroup:
    """Write what is at `source`, a file or store, as references of another format; return them.

    No chunk is read. `to` is the format to write, "json", "parquet", "icechunk" or "zarr"; None
    goes by the ending of `target`. `rename` gives new prefixes for those of locations: whole
    directories, buckets or hosts. `overwrite` lets a store at the target be replaced.

    Raises UnknownFormatError for a target that suggests no format, SourceNotFoundError for a prefix
    that no location has, and what parsing and the writer raise.
    """
    writer = writer_for(target, to)
    access = Access.of(None, storage_options, named(allowed_locations))
    group = settled(parsed_input(source, access, parser).group).map_arrays(in_one_chunk)
    if rename:
        group = renamed_prefixes(group, rename)
    writer.write(group, target, overwrite=overwrite, storage_options=storage_options)
    return group


def append(
    group: ManifestGroup,
    target: Url,
    dim: str,
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Append references to those of a store, along a dimension; return a note of what was done.

    What is already there is not added again, so appending twice is appending once. No chunk is
    read. Raises CombineError, naming the array, where appending would give wrong values, and what
    parsing and the writer raise.
    """
    return extend(group, target, dim, None, storage_options=storage_options)


def extend(
    group: ManifestGroup,
    target: Url,
    append_dim: str | None,
    region: Region | None,
    *,
    formats: Collection[str] = (),
    registry: Registry | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Append along a dimension as `append` does, or replace a region made of whole chunks.

    `region` gives slices by dimension name, or "auto" for a dimension whose coordinate decides, or
    is "auto". `formats` are the writers whose stores are taken, by name; none stands for all.
    A store that is written anew keeps its Zarr format and record size.
    """
    if (append_dim is None) == (region is None):
        raise ValueError("give append_dim or region, and not both")
    access = Access.of(registry, storage_options)
    parsed = parsed_input(target, access)
    writer = writer_named(parsed.format if parsed.format is not None else "")
    if formats and writer not in map(writer_named, formats):
        wanted = " or ".join(formats)
        raise UnsupportedFeatureError(
            f"this is a store of the format {writer.name}, not {wanted}", url=parsed.url
        )
    if writer.appends:
        notes: list[str] = []
        writer.write(
            group,
            target,
            storage_options=storage_options,
            append_dim=append_dim,
            region=region,
            report=notes.append,
        )
        return "; ".join(notes)
    settled(parsed.group)
    if append_dim is not None:
        plan = plan_append(parsed.group, group, append_dim)
    else:
        assert region is not None
        plan = plan_region(parsed.group, group, region_of(parsed.group, group, region))
    if not plan.nothing_to_do:
        whole = carried_out(parsed.group, plan).map_arrays(in_one_chunk)
        kept = writer.settings_of(target, registry, storage_options)
        writer.write(
            whole,
            target,
            extend=True,
            registry=registry,
            storage_options=storage_options,
            **kept,
        )
    return plan.note


@dataclass(frozen=True, slots=True)
class _Opener:
    """`open_virtual_dataset` with its arguments; can be sent to other processes."""

    registry: Registry | None
    parser: AnyParser | None
    options: Mapping[str, Any]

    def __call__(self, url: str) -> xr.Dataset:
        return open_virtual_dataset(url, self.registry, self.parser, **self.options)


@dataclass(frozen=True, slots=True)
class _Expander:
    """A glob's URLs, sorted."""

    registry: Registry | None
    storage_options: Mapping[str, Any] | None

    def __call__(self, pattern: str) -> list[str]:
        return glob_urls(pattern, self.registry, self.storage_options)


def _names(names: str | Collection[str] | None) -> Collection[str]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)


def _decoding(decode_times: Any) -> Mapping[str, Any]:
    return {} if decode_times is None else {"decode_times": decode_times}


def _datasets(
    parsed: Parsed, nodes: Mapping[str, ManifestGroup], wanted: Wanted, group: str
) -> dict[str, xr.Dataset]:
    try:
        return virtual_datasets(nodes, parsed.sources.open_location, wanted, f"/{group.strip('/')}")
    except VirtualizeError as error:
        error.located(url=parsed.url)
        raise

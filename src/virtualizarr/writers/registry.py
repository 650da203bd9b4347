"""The formats that can be written; each one's module is imported when it is first used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

from virtualizarr.errors import UnknownFormatError, UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.source.open import Registry
from virtualizarr.source.urls import redact


@dataclass(frozen=True, slots=True)
class Writer:
    """A format that can be written, by the name of its parser; its module is imported to write.

    A target with one of the `suffixes` is written so unless told otherwise. `settings` go to the
    module's `write`, `replacing` too where what is at the target may be replaced, `extending` where
    only what extends it may replace it. `appends` says that the module appends by itself; other
    formats are written anew as a whole, with the options that `settings_of` of the module
    `existing` finds.
    """

    name: str
    module: str
    suffixes: tuple[str, ...]
    settings: Mapping[str, str]
    replacing: Mapping[str, str]
    extending: Mapping[str, str]
    existing: str | None = None
    takes_registry: bool = True
    appends: bool = False

    def write(
        self,
        group: ManifestGroup,
        target: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        extend: bool = False,
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Write the tree to a path or URL; `options` are those of the module's `write`.

        Raises what that raises, and UnsupportedFeatureError for a registry that it cannot use.
        """
        if registry is not None:
            if not self.takes_registry:
                raise UnsupportedFeatureError(
                    f"{self.name} is not written through a registry; give storage_options"
                )
            options["registry"] = registry
        replacing = self.replacing if overwrite else self.extending if extend else {}
        settings = {**self.settings, **replacing, **options}
        module: Any = import_module(self.module)
        module.write(group, target, storage_options=storage_options, **settings)

    def settings_of(
        self,
        target: str | os.PathLike[str],
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the options that a store at `target` was written with, to write it anew alike."""
        if self.existing is None:
            return {}
        module: Any = import_module(self.existing)
        found: dict[str, Any] = module.settings_of(
            target, registry=registry, storage_options=storage_options, **self.settings
        )
        return found


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        writer.name: writer
        for writer in (
            Writer(
                "kerchunk",
                "virtualizarr.writers.kerchunk",
                (".json",),
                {"format": "json"},
                {},
                {},
                "virtualizarr.writers.kerchunk.existing",
            ),
            Writer(
                "kerchunk_parquet",
                "virtualizarr.writers.kerchunk",
                (".parquet", ".parq"),
                {"format": "parquet"},
                {"mode": "w"},
                {},
                "virtualizarr.writers.kerchunk.existing",
            ),
            Writer(
                "icechunk",
                "virtualizarr.writers.icechunk",
                (".icechunk",),
                {},
                {"mode": "w"},
                {},
                takes_registry=False,
                appends=True,
            ),
            Writer(
                "zarr", "virtualizarr.writers.zarr", (".zarr",), {}, {"mode": "w"}, {"mode": "w"}
            ),
        )
    }
)
SHORT_NAMES = MappingProxyType({"json": "kerchunk", "parquet": "kerchunk_parquet"})


def writer_named(name: str) -> Writer:
    """Return the writer of that name; "json" and "parquet" are kerchunk's two forms.

    Raises UnknownFormatError listing what can be written.
    """
    writer = WRITERS.get(SHORT_NAMES.get(name, name))
    if writer is None:
        known = ", ".join((*SHORT_NAMES, *WRITERS))
        raise UnknownFormatError(f"there is no writer named {name!r}; known are {known}")
    return writer


def writer_for(target: str | os.PathLike[str], name: str | None = None) -> Writer:
    """Return the writer of that name, or the one that the ending of the target's name suggests.

    Raises UnknownFormatError that says what endings there are.
    """
    if name is not None:
        return writer_named(name)
    path = os.fspath(target).partition("?")[0].rstrip("/").lower()
    for writer in WRITERS.values():
        if path.endswith(writer.suffixes):
            return writer
    endings = ", ".join(ending for writer in WRITERS.values() for ending in writer.suffixes)
    raise UnknownFormatError(
        f"the name does not say which format to write; it may end in {endings}, or name the format",
        url=redact(os.fspath(target)),
    )

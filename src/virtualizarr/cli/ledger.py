"""What became of each file of a build, kept beside its output, so that a build can be resumed.

A ledger is text, one JSON object a line, the last of a URL counts:

    {"url": ..., "ok": true, "size": ..., "etag": ..., "last_modified": ..., "references": "<file>"}
    {"url": ..., "ok": false, "reason": ...}

`references` names a file of kerchunk references in the ledger's folder: what was parsed. It is used
again if the file at `url` is still the same by all that is known of it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import orjson
import xarray as xr

import virtualizarr
from virtualizarr.errors import SourceError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import Location, ManifestGroup
from virtualizarr.model.evidence import facts_json, location_of
from virtualizarr.parsers.driver import referred
from virtualizarr.parsers.kerchunk import group_from_refs
from virtualizarr.source.open import open_source
from virtualizarr.source.urls import redact
from virtualizarr.writers import kerchunk

type Entry = Mapping[str, Any]


@dataclass(eq=False)
class Ledger:
    """The ledger at `path`; None keeps nothing. `parsed` and `reused` count files of this run."""

    path: Path | None
    entries: dict[str, Entry] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    parsed: int = 0
    reused: int = 0
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def at(cls, path: Path | None) -> Ledger:
        """Return the ledger at a path, with what an earlier build left there."""
        ledger = cls(path)
        if path is not None and path.exists():
            text = path.read_bytes()
            if text and not text.endswith(b"\n"):
                _append(path, b"\n")
            for line in text.splitlines():
                entry = _decoded(line)
                if entry is not None:
                    ledger.entries[str(entry["url"])] = entry
        return ledger

    @property
    def folder(self) -> Path:
        """Where parsed references are kept."""
        assert self.path is not None
        return self.path.with_name(f"{self.path.name}.parsed")

    def known(self, url: str, options: Mapping[str, Any] | None, kind: str) -> ManifestGroup | None:
        """Return what was parsed of a file before; None unless it is there and still true."""
        entry = self.entries.get(redact(url))
        if self.path is None or entry is None or entry.get("references") != _name(url, kind):
            return None
        then = location_of(url, entry)
        try:
            now = open_source(url, None, options, cache=False).facts()
            document = orjson.loads((self.folder / entry["references"]).read_bytes())
        except (SourceError, OSError, orjson.JSONDecodeError):
            return None
        if (now.size, now.etag, now.last_modified) != (then.size, then.etag, then.last_modified):
            return None
        self.reused += 1
        return referred(group_from_refs(document), url)

    def succeeded(
        self, url: str, group: ManifestGroup, options: Mapping[str, Any] | None, kind: str
    ) -> None:
        """Note that a file was parsed, and keep what was found, if it can be kept."""
        self.parsed += 1
        entry: dict[str, Any] = {"url": redact(url), "ok": True}
        if self.path is not None:
            try:
                facts = open_source(url, None, options, cache=False).facts()
                entry |= facts_json(Location(url, facts.size, facts.etag, facts.last_modified))
                self.folder.mkdir(exist_ok=True)
                target = self.folder / _name(url, kind)
                kerchunk.write(group, target, format="json", zarr_format=3)
                entry["references"] = target.name
            except (SourceError, UnsupportedFeatureError):
                entry = {"url": redact(url), "ok": True}
        self._add(entry)

    def has_failed(self, url: str, reason: str) -> None:
        """Note that a file could not be parsed."""
        with self._lock:
            self.failed[redact(url)] = redact(reason)
        self._add({"url": redact(url), "ok": False, "reason": redact(reason)})

    def finish(self) -> None:
        """Drop the parsed references of a build to which no file is missing."""
        if self.path is not None and not self.failed:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self.entries[str(entry["url"])] = entry
            if self.path is not None:
                _append(self.path, orjson.dumps(entry) + b"\n")


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens a file as a virtual Dataset, from the ledger where it is known there."""

    ledger: Ledger
    parser: str | None
    loadable: list[str] | None
    options: Mapping[str, Any] | None

    def __call__(self, url: str) -> xr.Dataset:
        try:
            return self._opened(url)
        except VirtualizeError as error:
            self.ledger.has_failed(url, error.reason)
            raise

    def _opened(self, url: str) -> xr.Dataset:
        kind = self.parser if self.parser is not None else ""
        group = self.ledger.known(url, self.options, kind)
        if group is None:
            group = virtualizarr.parse(url, parser=self.parser, storage_options=self.options)
            self.ledger.succeeded(url, group, self.options, kind)
        return virtualizarr.open_virtual_dataset(
            group, loadable_variables=self.loadable, storage_options=self.options
        )


def _append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def _decoded(line: bytes) -> Entry | None:
    """Return an entry; None for a line that a killed build did not finish."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return entry if isinstance(entry, Mapping) and "url" in entry else None


def _name(url: str, kind: str) -> str:
    return f"{hashlib.sha256(f'{kind} {url}'.encode()).hexdigest()[:32]}.json"

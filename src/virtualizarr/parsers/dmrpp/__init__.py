"""DMR++: documents of OPeNDAP's Hyrax that tell where the values of a data file lie.

Specifications: DAP4 volume 1 (the DMR that a document extends), and Hyrax's description of the
DMR++ namespace (version 1.0) with its parser as the last word. The data file, HDF5 or HDF4, is not
opened but where values lie in pieces.

Shown is what the document says of itself: groups, shared dimensions, attributes; of a Structure
whose members have axes or text, a group with an array for each member. Not supported, and refused
by the name of the variable: Sequences, strings in HDF5's heap, variables that the document marks as
unsupported or for which it tells no bytes, filters whose parameters it does not tell.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from virtualizarr.errors import SourceNotFoundError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.dmrpp.context import Context
from virtualizarr.parsers.dmrpp.decode import decode_document
from virtualizarr.parsers.dmrpp.dimensions import DimensionNames
from virtualizarr.parsers.dmrpp.document import read_document
from virtualizarr.parsers.dmrpp.layout import Group
from virtualizarr.parsers.dmrpp.locate import read_locations
from virtualizarr.parsers.dmrpp.refusals import Refusals
from virtualizarr.parsers.dmrpp.tree import hrefs_of, read_tree
from virtualizarr.source.reading import Reading
from virtualizarr.source.urls import normalize_url

__all__ = ["DMRPPParser"]

_PROLOG = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*"
_ROOT = re.compile(_PROLOG + rb"<(?:[\w.-]+:)?Dataset\s[^>]*>", re.DOTALL)
MARK = b"dmrpp"
NAMESPACE = re.compile(rb"opendap\.org/(?:ns/DAP/4|dap/dmrpp|ns/dmrpp)", re.IGNORECASE)


@dataclass(frozen=True)
class DMRPPParser(CallableParser):
    """Parser of DMR++ documents.

    `group` is the path of the group to read instead of the whole document. `skip_variables` and
    `drop_variables` are names, or paths from the root, of variables and groups to leave out; they
    are not checked. `errors="skip"` leaves out all variables that cannot be represented, with a
    warning that lists them. `data_url` says where the data file lies, whatever the document says.
    """

    group: str | None = None
    skip_variables: Iterable[str] | None = None
    drop_variables: Collection[str] = ()
    data_url: str | os.PathLike[str] | None = None
    errors: Literal["raise", "skip"] = "raise"

    @property
    def name(self) -> str:
        return "dmrpp"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".dmrpp",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins an XML document of DAP4 that has elements of DMR++."""
        del url
        start = bytes(head)
        found = _ROOT.match(start)
        return found is not None and NAMESPACE.search(found[0]) is not None and MARK in start

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the document: one round, one more for a long one.

        One more round looks for the data file where a path leaves open where it lies, and one reads
        chunks that lie in several pieces.
        """
        document = yield from read_document()
        skipped: list[VirtualizeError] | None = [] if self.errors == "skip" else None
        refusals = Refusals(skipped)
        dataset = decode_document(document, self._dropped, refusals)
        group = _group_at(dataset.root, self.group if self.group is not None else "")
        override = normalize_url(self.data_url) if self.data_url is not None else None
        hrefs = hrefs_of(group)
        locations = yield from read_locations(url, dataset, hrefs, override)
        context = Context(locations, dataset.size)
        tree = yield from read_tree(context, group, DimensionNames(), refusals)
        if skipped:
            reasons = "; ".join(f"{error.node}: {error.reason}" for error in skipped)
            warnings.warn(f"{url}: {len(skipped)} left out: {reasons}", stacklevel=2)
        return tree

    @property
    def _dropped(self) -> frozenset[str]:
        given = (self.skip_variables, self.drop_variables)
        names = [[each] if isinstance(each, str) else each for each in given if each is not None]
        return frozenset(name for each in names for name in each)


def _group_at(root: Group, path: str) -> Group:
    """Return the group at `path`; SourceNotFoundError listing what there is if there is none."""
    group = root
    for name in path.strip("/").split("/") if path.strip("/") else ():
        if name not in group.groups:
            known = ", ".join(group.groups) if group.groups else "none"
            raise SourceNotFoundError(f"there is no group {path!r}; groups at this level: {known}")
        group = group.groups[name]
    return group

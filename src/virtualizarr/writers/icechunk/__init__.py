"""Icechunk: a tree of virtual arrays written into a repository, or into a session of one.

References are virtual chunks, values are native chunks, and what was known of each file when it was
parsed goes with its references, so that Icechunk refuses to read a file that has changed since:
the etag, else the modification time; a file of which neither is known is not checked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from virtualizarr.model import ManifestGroup
from virtualizarr.model.append import AppendPlan, plan_append, plan_region, region_of
from virtualizarr.store.nodes import Tree
from virtualizarr.store.secrets import refuse_secrets
from virtualizarr.writers.icechunk.existing import existing_group
from virtualizarr.writers.icechunk.importing import import_icechunk, translated
from virtualizarr.writers.icechunk.nodes import Putter, Work, put_documents, put_placements
from virtualizarr.writers.icechunk.repository import (
    is_cut,
    open_or_create_repository,
    opened_anew,
)

if TYPE_CHECKING:
    from icechunk import IcechunkStore, Repository, Session

type Path = str | os.PathLike[str]
type Region = Literal["auto"] | Mapping[str, slice | Literal["auto"]]
type Mode = Literal["w", "w-", "a"]

__all__ = ["open_or_create_repository", "write"]

REFS_PER_COMMIT = 100_000
MAX_COMMITS = 64
BRANCH = "main"
_MODES = ("w", "w-", "a")


def write(
    group: ManifestGroup,
    store: Path | Repository | Session | IcechunkStore,
    *,
    group_path: str | None = None,
    mode: Mode | None = None,
    append_dim: str | None = None,
    region: Region | None = None,
    validate_containers: bool = True,
    last_updated_at: datetime | None = None,
    commit_message: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    report: Callable[[str], None] | None = None,
) -> str | None:
    """Write the tree into Icechunk at `group_path` (the root by default).

    - `store`: a path or URL, where a repository is opened, or made with all that it needs (see
      `open_or_create_repository`), and a `Repository`: the write is committed to the branch "main"
      and the snapshot's id returned. An `IcechunkStore` or a `Session`: it is left to its owner to
      commit, and None is returned.
    - `mode`: "w" replaces the group, "w-" refuses if there is one that is not empty, "a" replaces
      arrays of the same names. None is "w-", or "a" with `append_dim` or `region`.
    - `append_dim`: append along this dimension. What is already there is not added again: the
      snapshot returned is then the present one. See `model.append.plan_append` for what is refused.
    - `region`: replace a part made of whole chunks: slices by dimension name, or "auto" to find a
      dimension's slice by its coordinate.
    - `validate_containers`: refuse references that no container of the repository covers.
    - `last_updated_at`: stands in for the modification time of files of which nothing is known.
    - `report` is told what was done, in a sentence.

    References are written in batches to a branch of their own, to which "main" is moved in one
    step at the end: memory does not grow with the number of references, and a killed write leaves
    "main" as it was.

    Raises AlreadyExistsError, CombineError, UnsupportedFeatureError naming the array, SourceError
    where Icechunk fails or another writer has committed meanwhile, MissingDependencyError,
    ValueError for arguments that contradict one another.
    """
    refuse_secrets(group)
    icechunk = import_icechunk()
    job = _Job(
        group,
        group_path.strip("/") if group_path is not None else "",
        _resolved_mode(mode, append_dim, region),
        append_dim,
        region,
        report if report is not None else _ignore,
    )
    options: dict[str, Any] = {
        "validate_containers": validate_containers,
        "last_updated_at": last_updated_at,
    }
    with translated():
        if isinstance(store, icechunk.IcechunkStore):
            job.put(Putter(store, **options))
            return None
        if isinstance(store, icechunk.Session):
            job.put(Putter(store.store, **options))
            return None
        if not isinstance(store, icechunk.Repository):
            store = _repository(cast("Path", store), job, storage_options)
        repository = cast("Repository", store)
        text = commit_message if commit_message is not None else "Written by virtualizarr"
        rewrites = job.extends and not is_cut(repository.config)
        if job.references <= REFS_PER_COMMIT or rewrites:
            return _in_one_commit(repository, job, text, options)
        return _in_batches(repository, job, text, options)


def _ignore(_: str) -> None:
    return None


def _resolved_mode(mode: str | None, append_dim: str | None, region: Region | None) -> str:
    if mode is not None and mode not in _MODES:
        raise ValueError(f"mode is {mode!r}, not one of {_MODES}")
    if append_dim is not None and region is not None:
        raise ValueError("append_dim and region cannot be given together")
    if append_dim is None and region is None:
        return mode if mode is not None else "w-"
    if mode in ("w", "w-"):
        raise ValueError(f"mode {mode!r} does not go with append_dim or region; leave it out")
    return "a"


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """What is to be written, and where in the store."""

    group: ManifestGroup
    path: str
    mode: str
    append_dim: str | None
    region: Region | None
    report: Callable[[str], None]

    @property
    def references(self) -> int:
        """How many chunks there are, missing ones counted as if they were there."""
        return sum(array.manifest.location.size for array in Tree(self.group).arrays.values())

    @property
    def extends(self) -> bool:
        """Whether arrays that are there are added to, or replaced in part."""
        return self.append_dim is not None or self.region is not None

    @property
    def grid_shapes(self) -> dict[str, tuple[int, ...]]:
        """The chunk grids of arrays that are to be made, by path in the repository."""
        if self.extends:
            return {}
        prefix = f"/{self.path}/" if self.path else "/"
        arrays = Tree(self.group).arrays
        return {prefix + path: array.metadata.grid_shape for path, array in arrays.items()}

    def put(self, putter: Putter) -> None:
        """Put everything into the sessions that `putter` goes through."""
        for work in self._work(putter.store):
            putter.chunks(work)

    def _work(self, store: IcechunkStore) -> list[Work]:
        """Put the documents and return the chunks that are to follow."""
        if not self.extends:
            work = put_documents(store, self.group, self.path, self.mode)
            self.report(f"wrote {len(work)} arrays")
            return work
        plan = self._plan(existing_group(store, self.path, self.group))
        self.report(plan.note)
        return put_placements(store, plan.placements, self.path, clear=self.region is not None)

    def _plan(self, existing: ManifestGroup) -> AppendPlan:
        if self.append_dim is not None:
            return plan_append(existing, self.group, self.append_dim)
        region = self.region if self.region is not None else {}
        return plan_region(existing, self.group, region_of(existing, self.group, region))


def _repository(target: Path, job: _Job, storage_options: Mapping[str, Any] | None) -> Repository:
    """Open or make the repository. One that is made for an append would be empty, so it is not."""
    arrays = Tree(job.group).arrays
    locations = {file.url for array in arrays.values() for file in array.manifest.locations}
    return open_or_create_repository(
        target,
        sorted(locations),
        storage_options,
        grid_shapes=job.grid_shapes,
        create=not job.extends,
    )


def _in_one_commit(
    repository: Repository, job: _Job, message: str, options: Mapping[str, Any]
) -> str:
    session = repository.writable_session(BRANCH)
    job.put(Putter(session.store, **options))
    if not session.has_uncommitted_changes:
        return session.snapshot_id
    return session.commit(message)


def _in_batches(repository: Repository, job: _Job, message: str, options: Mapping[str, Any]) -> str:
    """Commit batch by batch to a branch of this write's own, then move "main" there in one step.

    Manifests of new arrays are cut also where the repository's configuration does not say so: a
    manifest is written anew with every commit that adds to it.
    """
    grids = job.grid_shapes
    before = repository.lookup_branch(BRANCH)
    branch = f"virtualizarr-{uuid4().hex}"
    repository.create_branch(branch, before)
    try:
        session = opened_anew(repository, grids).writable_session(branch)

        def advance() -> IcechunkStore:
            nonlocal session
            session.commit(message)
            session = opened_anew(repository, grids).writable_session(branch)
            return session.store

        limit = max(REFS_PER_COMMIT, job.references // MAX_COMMITS)
        job.put(Putter(session.store, **options, advance=advance, limit=limit))
        if session.has_uncommitted_changes:
            session.commit(message)
        after = repository.lookup_branch(branch)
        if after != before:
            repository.reset_branch(BRANCH, after, from_snapshot_id=before)
        return after
    finally:
        repository.delete_branch(branch)

"""What becomes of variables that cannot be represented."""

from __future__ import annotations

from dataclasses import dataclass

from virtualizarr.errors import (
    CorruptFileError,
    SourceError,
    UnsupportedFeatureError,
    VirtualizeError,
)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Raised, unless `skipped` is a list: then they are left out, and their errors are put there.

    Files that cannot be fetched are never left out.
    """

    skipped: list[VirtualizeError] | None = None

    def meet(self, error: VirtualizeError, path: str, at: int | None = None) -> None:
        """Raise the error with its node and what can be done about it, or note that it was."""
        error = error.located(node=path, at=at)
        if self.skipped is None or isinstance(error, SourceError):
            raise with_advice(error, path) from error.__cause__
        self.skipped.append(error)


def with_advice(error: VirtualizeError, path: str) -> VirtualizeError:
    """Return an error about the variable at `path` that says how to do without it."""
    kind, name = type(error), path.rpartition("/")[2].partition(".")[0]
    if kind not in (UnsupportedFeatureError, CorruptFileError) or "drop_variables" in error.reason:
        return error
    return kind(
        f"{error.reason}; drop_variables=[{name!r}] leaves it out",
        url=error.url,
        node=error.node,
        at=error.at,
    )

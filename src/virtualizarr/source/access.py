"""How one reader reaches files: through which stores, and where references may lead him."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from virtualizarr.errors import ForbiddenReferenceError, SourceError
from virtualizarr.source.base import AnySource
from virtualizarr.source.open import Registry, open_source, resolve
from virtualizarr.source.policy import AllowedLocations, ReferencePolicy, named_referrer
from virtualizarr.source.urls import normalize_url, redact


@dataclass(frozen=True, slots=True)
class Access:
    """A registry or storage options, as `open_source` takes them, and a policy for references."""

    registry: Registry | None = None
    storage_options: Mapping[str, Any] | None = field(default=None, repr=False)
    policy: ReferencePolicy = field(default_factory=ReferencePolicy)

    @classmethod
    def of(
        cls,
        registry: Registry | None = None,
        storage_options: Mapping[str, Any] | None = None,
        allowed_locations: AllowedLocations | None = None,
    ) -> Self:
        """Return what a caller's arguments state; raises what `ReferencePolicy.of` raises."""
        policy = ReferencePolicy.of(
            allowed_locations,
            has_registry=registry is not None,
            has_options=storage_options is not None and len(storage_options) > 0,
        )
        return cls(registry, storage_options, policy)

    def open(self, url: str, referrer: str | None = None, *, cache: bool = True) -> AnySource:
        """Return a source for `url`; errors as `open_source`.

        `referrer` is the URL of the file that names it, None where the reader did. Raises
        ForbiddenReferenceError if it may not lead there.
        """
        self.policy.check(url, referrer)
        if referrer is not None and self.policy.by_registry:
            self._check_registered(url, referrer)
        may_follow = self.policy.redirects(referrer)
        return open_source(
            url, self.registry, self.storage_options, cache=cache, may_follow=may_follow
        )

    def _check_registered(self, url: str, referrer: str) -> None:
        try:
            resolve(normalize_url(url), self.registry, self.storage_options)
        except SourceError as error:
            raise ForbiddenReferenceError(
                f"a reference of {named_referrer(referrer)} leads here, and is not followed: "
                f"{error.reason}",
                url=redact(url),
            ) from None

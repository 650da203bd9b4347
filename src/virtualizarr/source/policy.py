"""Which locations references may lead to: references are data, not authority.

A file that names other files (a store of references, an HDF5 file with external links) does not
thereby give its reader leave to open them. By default only these are read:

- what has the same scheme and host (or bucket) as the file that names it, port included;
- what a registry serves, where the reader gave one;
- buckets, where the file is local and the reader gave `storage_options`, which then can only be
  meant for what it names.

References that were given as a dict count as those of a local file. All else needs a word of the
reader's, `allowed_locations`. Addresses of this machine and of its network need one that names
them. Where a scheme alone is allowed, hosts are named by nobody but the file, so their names are
looked up, and one that leads to such an address is refused too; so is a redirect to one. What is
not seen here is another answer to the same question: the client looks up every name anew.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Self, overload
from urllib.parse import unquote

from virtualizarr.errors import ForbiddenReferenceError, SourceError, VirtualizeError
from virtualizarr.source.urls import WEB_SCHEMES, file_url, normalize_url, redact, split_url

type AllowedLocations = str | os.PathLike[str] | Collection[str | os.PathLike[str]]

IN_MEMORY = "file:///"
"""Stands for the file that references come from, where they were given as a dict."""

LOCAL_SCHEMES = frozenset({"file", "memory"})
BUCKET_SCHEMES = frozenset({"s3", "gs", "az", "abfs", "abfss"})
INTERNAL_NAMES = frozenset({"localhost", "metadata", "instance-data", "metadata.google.internal"})
_INTERNAL_ENDINGS = (".localhost", ".internal", ".local", ".localdomain")
_SCHEME_ALONE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{0,2}")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class ReferencePolicy:
    """What a reader has allowed: nothing but the default, unless told.

    `prefixes` are canonical URLs without their last slash, or schemes such as "https:"; None allows
    everything. `buckets` says that a local file may name buckets. `by_registry` leaves the
    decision to the reader's registry.
    """

    prefixes: tuple[str, ...] | None = ()
    buckets: bool = False
    by_registry: bool = False

    @classmethod
    def of(
        cls,
        allowed_locations: AllowedLocations | None = None,
        *,
        has_registry: bool = False,
        has_options: bool = False,
    ) -> Self:
        """Return the policy that a reader's arguments state.

        `allowed_locations`: prefixes of URLs or paths, or schemes such as "https://", or "all".
        Raises what `normalize_url` raises.
        """
        if allowed_locations is None:
            return cls((), has_options and not has_registry, has_registry)
        given = named(allowed_locations)
        if "all" in given:
            return cls(None)
        return cls(tuple(map(_prefix, given)), has_options and not has_registry)

    def check(self, url: str, referrer: str | None) -> None:
        """Raise ForbiddenReferenceError unless the file at `url` may be read.

        `referrer` is the URL of the file that names it, None where the reader did so himself.
        """
        if referrer is None or self.prefixes is None or self.by_registry:
            return
        try:
            target = _target(url)
            origin = split_url(referrer)
        except VirtualizeError as error:
            raise ForbiddenReferenceError(
                f"a reference of {named_referrer(referrer)} cannot be followed: {error.reason}",
                url=redact(url),
            ) from None
        scheme, authority = target.scheme, target.authority
        own = _bare(origin.scheme, origin.authority)
        if scheme == origin.scheme and (scheme in LOCAL_SCHEMES or authority == own):
            return
        if self.buckets and origin.scheme in LOCAL_SCHEMES and scheme in BUCKET_SCHEMES:
            return
        internal = is_internal(authority) and scheme in WEB_SCHEMES
        for prefix in self.prefixes:
            if prefix.endswith(":"):
                if scheme == prefix[:-1] and not internal:
                    internal = scheme in WEB_SCHEMES and leads_inside(authority)
                    if not internal:
                        return
            elif target.url == prefix or target.url.startswith(f"{prefix}/"):
                return
        raise _refusal(target, referrer, internal)

    def redirects(self, referrer: str | None) -> Redirects | None:
        """Return what decides where a file that `referrer` names may redirect to; None: anywhere.

        Where the reader named the file himself, or trusts all that is named, or gave his own
        registry, redirects are his affair.
        """
        if referrer is None or self.prefixes is None or self.by_registry:
            return None
        return Redirects(self, referrer)


@dataclass(frozen=True, slots=True)
class Redirects:
    """Where the servers that a file names may send its reader: anywhere but inside his network."""

    policy: ReferencePolicy
    referrer: str

    def __call__(self, url: str) -> None:
        """Raise ForbiddenReferenceError for an internal address that the reader has not named."""
        if not leads_inside(split_url(url).authority):
            return
        try:
            self.policy.check(url, self.referrer)
        except ForbiddenReferenceError as error:
            raise ForbiddenReferenceError(
                f"the server redirects to it: {error.reason}", url=error.url
            ) from None


@overload
def named(allowed_locations: None) -> None: ...
@overload
def named(allowed_locations: AllowedLocations) -> tuple[str, ...]: ...
@overload
def named(allowed_locations: AllowedLocations | None) -> tuple[str, ...] | None: ...
def named(allowed_locations: AllowedLocations | None) -> tuple[str, ...] | None:
    """Return the argument as a tuple, which can be kept, compared and sent elsewhere."""
    if allowed_locations is None:
        return None
    if isinstance(allowed_locations, str | os.PathLike):
        allowed_locations = (allowed_locations,)
    return tuple(
        file_url(os.fspath(each)) if isinstance(each, os.PathLike) else each
        for each in allowed_locations
    )


@dataclass(frozen=True, slots=True)
class _Target:
    url: str
    scheme: str
    authority: str


def _target(url: str) -> _Target:
    """Return what a reference leads to. Raises where the URL is malformed or climbs."""
    canonical = normalize_url(url)
    parts = split_url(canonical)
    if {"..", "."} & set(unquote(parts.path).replace("\\", "/").split("/")):
        raise SourceError("its path climbs")
    authority = _bare(parts.scheme, parts.authority)
    rest = canonical[len(f"{parts.scheme}://{parts.authority}") :]
    return _Target(f"{parts.scheme}://{authority}{rest}", parts.scheme, authority)


def _bare(scheme: str, authority: str) -> str:
    """Return the host and port of a URL without the port that the scheme implies."""
    return authority.removesuffix(_DEFAULT_PORT.get(scheme, ":"))


def _prefix(text: str) -> str:
    match = _SCHEME_ALONE.fullmatch(text)
    if match is not None:
        return f"{match[1].lower()}:"
    canonical = normalize_url(text)
    parts = split_url(canonical)
    rest = canonical[len(f"{parts.scheme}://{parts.authority}") :]
    bare = f"{parts.scheme}://{_bare(parts.scheme, parts.authority)}{rest}".rstrip("/")
    return bare if parts.authority or parts.path else f"{parts.scheme}:"


def named_referrer(referrer: str) -> str:
    """Return what to call the file that references came from."""
    return "the dict" if referrer == IN_MEMORY else redact(referrer)


def _refusal(target: _Target, referrer: str, internal: bool) -> ForbiddenReferenceError:
    kind = ", an address of this machine or its network" if internal else ""
    if target.scheme in LOCAL_SCHEMES:
        grant = target.url.rpartition("/")[0] + "/"
    else:
        grant = f"{target.scheme}://{target.authority}/"
    return ForbiddenReferenceError(
        f"a reference of {named_referrer(referrer)} leads here{kind}, and is not followed: by "
        "default references may only lead to the scheme and host of the file that holds them; if "
        "you trust it, pass "
        f"allowed_locations=[{grant!r}]",
        url=redact(target.url),
    )


def leads_inside(authority: str) -> bool:
    """Say whether the name of a host is looked up as an address that `is_internal`.

    A name that cannot be looked up leads nowhere.
    """
    return is_internal(authority) or any(map(is_internal, addresses_of(host_of(authority))))


@lru_cache(maxsize=1024)
def addresses_of(host: str) -> tuple[str, ...]:
    """Return the addresses of a host's name, as URLs spell them; none where there are none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    texts = (str(address[0]) for *_, address in found)
    return tuple(f"[{text}]" if ":" in text else text for text in texts)


def host_of(authority: str) -> str:
    """Return the host in the authority of a URL, without brackets, port and user."""
    host = authority.rpartition("@")[2].lower()
    if host.startswith("["):
        return host[1:].partition("]")[0].partition("%")[0]
    return host.partition(":")[0].rstrip(".")


def is_internal(authority: str) -> bool:
    """Say whether the host of a URL is this machine or on its network, as far as its name tells.

    Addresses are understood in every spelling that resolvers take, such as `127.1`, `0x7f.1` and
    `[::ffff:127.0.0.1]`.
    """
    host = host_of(authority)
    if host in INTERNAL_NAMES or host.endswith(_INTERNAL_ENDINGS) or not host:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    embedded = _embedded(address)
    return not all(each.is_global for each in (embedded if embedded else [address]))


def _embedded(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 one leads to: mapped, 6to4 and NAT64 (RFC 6052)."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return found

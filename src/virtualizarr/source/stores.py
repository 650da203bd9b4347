"""Stores built from a URL, options and the environment, and shared by all files that they serve."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, HTTPStore, MemoryStore, S3Store

from virtualizarr.errors import SourceError, UnsupportedFeatureError
from virtualizarr.source.urls import STORE_SCHEMES, WEB_SCHEMES, UrlParts, redact

if TYPE_CHECKING:
    from obstore.store import ClientConfig

RETRY: dict[str, Any] = {
    "max_retries": 4,
    "backoff": {
        "init_backoff": timedelta(seconds=0.1),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
    "retry_timeout": timedelta(seconds=10),
}
CLIENT: dict[str, Any] = {"connect_timeout": timedelta(seconds=5), "timeout": timedelta(seconds=30)}

_CLIENT_KEYS = frozenset(
    {
        "allow_http",
        "allow_invalid_certificates",
        "connect_timeout",
        "default_content_type",
        "default_headers",
        "http1_only",
        "http2_keep_alive_interval",
        "http2_keep_alive_timeout",
        "http2_keep_alive_while_idle",
        "http2_only",
        "pool_idle_timeout",
        "pool_max_idle_per_host",
        "proxy_ca_certificate",
        "proxy_excludes",
        "proxy_url",
        "randomize_addresses",
        "read_timeout",
        "root_certificate",
        "timeout",
        "user_agent",
    }
)
_FSSPEC_KEYS = {
    "anon": "skip_signature",
    "key": "access_key_id",
    "secret": "secret_access_key",
    "endpoint_url": "endpoint",
    "region_name": "region",
}
_ENVIRONMENT = ("AWS_", "AZURE_", "GOOGLE_", "SERVICE_ACCOUNT")
_KEPT = 256

_stores: dict[tuple[str, ...], Any] = {}
_memory: dict[str, MemoryStore] = {}
_lock = threading.Lock()


def memory_store(name: str) -> MemoryStore:
    """Return this process's store for `memory://name/...`, making it when first asked for."""
    with _lock:
        return _memory.setdefault(name, MemoryStore())


def store_for(parts: UrlParts, options: Mapping[str, Any] | None) -> tuple[Any, str]:
    """Return the store that serves a URL, and the path in it.

    Credentials, region and endpoint come from `options` (obstore's names, or fsspec's commonest),
    then from the environment by obstore's rules. One store serves all files of a bucket or host
    opened with equal options. Raises `UnsupportedFeatureError` for a scheme that no store serves,
    `SourceError` for options that the store does not know.
    """
    scheme, authority, path, query = parts
    if scheme == "memory":
        return memory_store(authority), path
    if scheme not in STORE_SCHEMES | WEB_SCHEMES:
        raise UnsupportedFeatureError(
            f"no store is known for {scheme!r} URLs; built in are file,"
            f" {', '.join(sorted(STORE_SCHEMES | WEB_SCHEMES))}; register a store for others"
        )
    if not authority:
        raise SourceError("the URL names no bucket or host")
    given = dict(options) if options is not None else {}
    environment = [f"{k}={v}" for k, v in os.environ.items() if k.startswith(_ENVIRONMENT)]
    key = (scheme, authority, query, repr(sorted(given.items())), *sorted(environment))
    with _lock:
        store = _stores.get(key)
        if store is None:
            store = _build(scheme, authority, query, given)
            while len(_stores) >= _KEPT:
                del _stores[next(iter(_stores))]
            _stores[key] = store
    return store, path


def _build(scheme: str, authority: str, query: str, options: dict[str, Any]) -> Any:
    config, client, retry = sorted_options(options)
    endpoint = str(config.get("endpoint", config.get("aws_endpoint", "")))
    if scheme == "http" or endpoint.startswith("http://"):
        client.setdefault("allow_http", True)
    client_config = cast("ClientConfig", client)
    try:
        match scheme:
            case "http" | "https":
                base = f"{scheme}://{authority}/{'?' if query else ''}{query}"
                return HTTPStore(base, client_options=client_config, retry_config=retry, **config)
            case "s3":
                return S3Store(
                    authority, client_options=client_config, retry_config=retry, **config
                )
            case "gs":
                return GCSStore(
                    authority, client_options=client_config, retry_config=retry, **config
                )
            case _:
                container, at, host = authority.partition("@")
                if at:
                    config.setdefault("account_name", host.split(".", 1)[0])
                return AzureStore(
                    container, client_options=client_config, retry_config=retry, **config
                )
    except (BaseError, ValueError, TypeError) as error:
        reason = redact(str(error)).split("\n\nDebug source", 1)[0]
        raise SourceError(
            f"the store cannot be set up: {reason} (see storage_options)",
            url=f"{scheme}://{authority}",
        ) from None


def sorted_options(
    options: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Sort storage options into the store's configuration, its HTTP client's and retries.

    Those of the client are complete: `CLIENT` has what was not given.
    """
    given = {_FSSPEC_KEYS.get(name, name): value for name, value in options.items()}
    client = {**CLIENT, **given.pop("client_options", {})}
    retry = given.pop("retry_config", RETRY)
    config: dict[str, Any] = {}
    for name, value in given.items():
        (client if name in _CLIENT_KEYS else config)[name] = value
    return config, client, retry

"""Making or opening a repository from a plain path or URL, with the configuration it needs.

What is set, and why:

- a virtual chunk container for every bucket, server or directory that is referred to;
- manifests of at most 25,000 references, so that the first chunk is read in milliseconds;
- no compression of locations by a trained dictionary: at that size it saves a tenth of the space
  and takes half of the time of a commit;
- one request a chunk: by default Icechunk fetches a remote chunk in up to five pieces when the
  repository itself is local, and tries once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from virtualizarr.errors import AlreadyExistsError, SourceNotFoundError, UnsupportedFeatureError
from virtualizarr.source.urls import UrlParts, local_path, normalize_url, split_url
from virtualizarr.writers.icechunk.containers import container_prefixes, covering
from virtualizarr.writers.icechunk.importing import import_icechunk, translated
from virtualizarr.writers.icechunk.splitting import AxisSizes, split_rules

if TYPE_CHECKING:
    from icechunk import Repository, RepositoryConfig, Storage

NO_DICTIONARY = 65_535
ONE_REQUEST = 12 << 20
MAX_TRIES = 4
_FSSPEC_NAMES = {
    "anon": "skip_signature",
    "key": "access_key_id",
    "secret": "secret_access_key",
    "token": "session_token",
    "endpoint_url": "endpoint",
    "region_name": "region",
}


def open_or_create_repository(
    url: str | os.PathLike[str],
    locations: Iterable[str] = (),
    storage_options: Mapping[str, Any] | None = None,
    *,
    grid_shapes: Mapping[str, tuple[int, ...]] | None = None,
    create: bool = True,
) -> Repository:
    """Return the repository at a path or URL, made if it is not there, ready for `locations`.

    - `locations`: canonical URLs that references point to. Containers that they need are added to
      the repository's configuration, which is saved without credentials; reading is authorised.
    - `storage_options`: as in `virtualizarr.open_virtual_dataset`, for the repository and for the
      locations alike; without them credentials come from the environment.
    - `grid_shapes`: chunk grids of arrays about to be made, by path ("/group/name"), for the cut
      of their manifests.
    - `create`: False raises SourceNotFoundError where there is no repository.

    Raises UnsupportedFeatureError for locations or stores that Icechunk cannot reach,
    MissingDependencyError without icechunk, SourceError where the repository cannot be opened.
    """
    icechunk = import_icechunk()
    canonical = normalize_url(url)
    options = _named(storage_options)
    prefixes = container_prefixes(locations)
    with translated(canonical):
        storage = storage_for(canonical, options)
        exists = icechunk.Repository.exists(storage)
        if not exists and not create:
            raise SourceNotFoundError("there is no Icechunk repository", url=canonical)
        saved = icechunk.Repository.fetch_config(storage) if exists else None
        config = saved if saved is not None else new_config()
        changed = add_containers(config, prefixes, options)
        changed |= add_split_rules(config, grid_shapes if grid_shapes is not None else {})
        access = credentials_for(config, prefixes, options)
        if not exists:
            return icechunk.Repository.create(  # type: ignore[no-any-return]
                storage, config=config, authorize_virtual_chunk_access=access
            )
        repository = icechunk.Repository.open(
            storage, config=config, authorize_virtual_chunk_access=access
        )
        if changed:
            repository.save_config()
        return repository  # type: ignore[no-any-return]


def new_config() -> RepositoryConfig:
    """Return the configuration of a new repository; see the module for its choices."""
    icechunk = import_icechunk()
    config = icechunk.RepositoryConfig.default()
    config.storage = icechunk.StorageSettings(
        concurrency=icechunk.StorageConcurrencySettings(
            max_concurrent_requests_for_object=1, ideal_concurrent_request_size=ONE_REQUEST
        ),
        retries=icechunk.StorageRetriesSettings(
            max_tries=MAX_TRIES, initial_backoff_ms=100, max_backoff_ms=10_000
        ),
    )
    config.manifest = icechunk.ManifestConfig(virtual_chunk_location_compression=_no_dictionary())
    return config  # type: ignore[no-any-return]


def is_cut(config: RepositoryConfig) -> bool:
    """Say whether a configuration cuts the manifests of its arrays."""
    splitting = config.manifest.splitting if config.manifest is not None else None
    return splitting is not None and bool(splitting.split_sizes)


def opened_anew(repository: Repository, grid_shapes: Mapping[str, tuple[int, ...]]) -> Repository:
    """Return the same repository without what this one keeps in memory of all it has written.

    Where its configuration cuts no manifests, this one cuts those of new arrays, given by their
    `grid_shapes`, and trains no dictionaries for their locations; nothing of that is saved.
    """
    icechunk = import_icechunk()
    config = repository.config
    if not is_cut(config):
        manifest = config.manifest if config.manifest is not None else icechunk.ManifestConfig()
        manifest.virtual_chunk_location_compression = _no_dictionary()
        config.manifest = manifest
        add_split_rules(config, grid_shapes)
    return icechunk.Repository.open(repository.storage, config=config)  # type: ignore[no-any-return]


def _no_dictionary() -> Any:
    return import_icechunk().ManifestVirtualChunkLocationCompressionConfig(
        min_num_chunks=NO_DICTIONARY
    )


def container_prefixes_of(config: RepositoryConfig) -> list[str]:
    """Return the URL prefixes of the containers that a configuration has."""
    containers = config.virtual_chunk_containers
    return [each.url_prefix for each in containers.values()] if containers is not None else []


def add_containers(
    config: RepositoryConfig, prefixes: Iterable[str], options: Mapping[str, Any]
) -> bool:
    """Add the containers that no present one covers; say whether there were any."""
    icechunk = import_icechunk()
    present = container_prefixes_of(config)
    added = [prefix for prefix in prefixes if covering(present, prefix) is None]
    for prefix in added:
        store = _container_store(split_url(prefix), prefix, options)
        config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store))
    return bool(added)


def add_split_rules(config: RepositoryConfig, grid_shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Add rules that cut the manifests of these arrays; say whether there were any.

    Rules come before those that are there; a rule for all other arrays is added where there is
    none.
    """
    icechunk = import_icechunk()
    manifest = config.manifest if config.manifest is not None else icechunk.ManifestConfig()
    present = manifest.splitting.split_sizes if manifest.splitting is not None else ()
    common, others = split_rules(grid_shapes)
    if present:
        paths = {path for paths in others.values() for path in paths}
        alike = [path for path in grid_shapes if path not in paths and grid_shapes[path]]
        others = {**others, common: alike} if alike else others
    new = [(_named_arrays(paths), _axes(sizes)) for sizes, paths in others.items()]
    if present and not new:
        return False
    last = present if present else ((icechunk.ManifestSplitCondition.AnyArray(), _axes(common)),)
    manifest.splitting = icechunk.ManifestSplittingConfig((*new, *last))
    config.manifest = manifest
    return True


def _named_arrays(paths: list[str]) -> Any:
    icechunk = import_icechunk()
    return icechunk.ManifestSplitCondition.path_matches(f"^({'|'.join(map(re.escape, paths))})$")


def _axes(sizes: AxisSizes) -> Any:
    icechunk = import_icechunk()
    return tuple((icechunk.ManifestSplitDimCondition.Axis(axis), cells) for axis, cells in sizes)


def storage_for(canonical: str, options: Mapping[str, Any]) -> Storage:
    """Return where the repository at a canonical URL is kept."""
    icechunk = import_icechunk()
    parts = split_url(canonical)
    prefix = parts.path.rstrip("/")
    match parts.scheme:
        case "file":
            path = local_path(canonical)
            if os.path.isfile(path):
                raise AlreadyExistsError("is a file, not an Icechunk repository", url=canonical)
            return icechunk.local_filesystem_storage(path)  # type: ignore[no-any-return]
        case "s3":
            return icechunk.s3_storage(  # type: ignore[no-any-return]
                bucket=parts.authority,
                prefix=prefix,
                region=options.get("region"),
                endpoint_url=options.get("endpoint"),
                allow_http=_allow_http(options),
                force_path_style=_path_style(options),
                **_s3_secrets(options),
            )
        case "gs":
            return icechunk.gcs_storage(  # type: ignore[no-any-return]
                bucket=parts.authority, prefix=prefix, **_gcs_secrets(options)
            )
        case "az" | "abfs":
            return icechunk.azure_storage(  # type: ignore[no-any-return]
                account=_account(canonical, options),
                container=parts.authority,
                prefix=prefix,
                **_azure_secrets(options),
            )
    raise UnsupportedFeatureError(
        f"an Icechunk repository cannot be kept in a {parts.scheme!r} store; file, s3, gs and az "
        "are possible",
        url=canonical,
    )


def credentials_for(
    config: RepositoryConfig, prefixes: Iterable[str], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what authorises reading below `prefixes`: credentials by container prefix."""
    icechunk = import_icechunk()
    present = container_prefixes_of(config)
    used = {covering(present, prefix) for prefix in prefixes} - {None}
    return icechunk.containers_credentials(  # type: ignore[no-any-return]
        {prefix: _credential(split_url(prefix), options) for prefix in sorted(filter(None, used))}
    )


def _credential(parts: UrlParts, options: Mapping[str, Any]) -> Any:
    icechunk = import_icechunk()
    match parts.scheme:
        case "file":
            return icechunk.credentials.LocalFileSystemAccess
        case "http" | "https":
            return icechunk.credentials.HttpAccess
        case "s3":
            return icechunk.s3_credentials(**_s3_secrets(options))
        case "gs" | "gcs":
            return icechunk.gcs_credentials(**_gcs_secrets(options))
    return icechunk.azure_credentials(**_azure_secrets(options))


def _container_store(parts: UrlParts, prefix: str, options: Mapping[str, Any]) -> Any:
    icechunk = import_icechunk()
    match parts.scheme:
        case "file":
            return icechunk.local_filesystem_store(unquote(prefix.removeprefix("file://")))
        case "http" | "https":
            return icechunk.http_store({"allow_http": "true"} if parts.scheme == "http" else None)
        case "s3":
            endpoint = options.get("endpoint")
            return icechunk.s3_store(
                region=options.get("region"),
                endpoint_url=endpoint,
                allow_http=_allow_http(options),
                anonymous=_anonymous(options),
                s3_compatible=endpoint is not None,
                force_path_style=_path_style(options),
            )
        case "gs":
            return icechunk.gcs_store()
    return icechunk.azure_store(account=_account(prefix, options))


def _account(url: str, options: Mapping[str, Any]) -> str:
    account = options.get("account_name", os.environ.get("AZURE_STORAGE_ACCOUNT_NAME"))
    if account is None:
        raise UnsupportedFeatureError(
            "Icechunk needs the name of the Azure account; give it as "
            'storage_options={"account_name": ...}',
            url=url,
        )
    return str(account)


def _named(storage_options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return storage options under obstore's names."""
    given = storage_options if storage_options is not None else {}
    named = {_FSSPEC_NAMES.get(name, name): value for name, value in given.items()}
    return {name.removeprefix("aws_"): value for name, value in named.items()}


def _anonymous(options: Mapping[str, Any]) -> bool:
    return bool(options.get("skip_signature", False))


def _allow_http(options: Mapping[str, Any]) -> bool:
    default = str(options.get("endpoint", "")).startswith("http://")
    return bool(options.get("allow_http", default))


def _path_style(options: Mapping[str, Any]) -> bool:
    return not options.get("virtual_hosted_style_request", options.get("endpoint") is None)


def _s3_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    names = ("access_key_id", "secret_access_key", "session_token")
    secrets = {name: options[name] for name in names if name in options}
    return {"anonymous": True} if _anonymous(options) else secrets


def _gcs_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    names = ("service_account_file", "service_account_key", "application_credentials")
    secrets = {name: options[name] for name in names if name in options}
    return {"anonymous": True} if _anonymous(options) else secrets


def _azure_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    names = ("access_key", "sas_token", "bearer_token")
    secrets = {name: options[name] for name in names if name in options}
    if _anonymous(options):
        return {"anonymous": True}
    return secrets if secrets else {"from_env": True}

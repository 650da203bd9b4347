"""Bytes: where they come from, and how few requests fetch them.

Parsers ask (`reading`), sources answer. Nothing here knows a file format.

- `open.open_source(url, registry, storage_options)`: the source for a URL; `listing.glob_urls`: the
  URLs for a pattern; `urls.normalize_url`: the one spelling of a URL that manifests record.
- Sources, blocking and async (`base.AnySource`): `local.LocalSource`, `object_store.ObjectSource`,
  `memory.BytesSource`; around another source `cache.CachingSource` and `trace.TracingSource`.
- The contract: `reading` (`Reading`, `run`, `run_async`, `together`, `Stat`, `Elsewhere`), `ranges`
  (`ByteRange`, `ByteBlocks`, `coalesce`), `facts.FileFacts`, and `limits`, which no round may pass.
- Behind them: `answers` (cutting answers out of bytes), `held` (segments in memory), `pread`,
  `store_client` (exact GETs with retries), `background` (the event loop), `stores` (built from
  URLs), `translate` (clients' exceptions into ours).

This file imports nothing, so that a parser's tests need no store client.
"""

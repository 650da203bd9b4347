"""An S3 server on the loopback interface, by moto."""

from __future__ import annotations

import urllib.request
from typing import Any, Self

import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store


class S3Server:
    """A moto server in a thread; buckets are made through plain requests."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def endpoint(self) -> str:
        host, port = self._server.get_host_and_port()
        return f"http://{host}:{port}"

    @property
    def options(self) -> dict[str, Any]:
        """Storage options that reach this server."""
        return {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": "test-key",
            "secret_access_key": "test-secret",
            "virtual_hosted_style_request": False,
            "allow_http": True,
        }

    def store(self, bucket: str) -> S3Store:
        """Return a store for `bucket`, which is made if it is not there."""
        request = urllib.request.Request(f"{self.endpoint}/{bucket}", method="PUT")
        with urllib.request.urlopen(request):
            pass
        options = {k: v for k, v in self.options.items() if k != "allow_http"}
        return S3Store(bucket, client_options={"allow_http": True}, **options)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        obstore.put(self.store(bucket), key, data)

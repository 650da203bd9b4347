"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from servers.ranges import RangeServer

if TYPE_CHECKING:
    from servers.s3 import S3Server


@pytest.fixture
def range_server() -> Iterator[RangeServer]:
    """A fresh web server that serves byte ranges, counts requests and fails on request."""
    with RangeServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One S3 server for the session; use a bucket of your own."""
    from servers.s3 import S3Server  # slow to import, and few tests need it

    with S3Server() as server:
        yield server

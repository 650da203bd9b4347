"""Fixtures that several folders of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from servers.ranges import RangeServer

if TYPE_CHECKING:
    from servers.s3 import S3Server

# The same examples in every run, so that a run says something of the change and not of its luck;
# `--hypothesis-profile search` looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("same")


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

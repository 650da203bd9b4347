"""The background loop: forks, restarts, and blocking reads where they cannot work."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap

import pytest

from servers.ranges import RangeServer
from virtualizarr.errors import SourceError
from virtualizarr.source.background import BackgroundLoop

fork_only = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

FORK = """
import os, sys, warnings
from virtualizarr.errors import SourceError
from virtualizarr.source.local import LocalSource
from virtualizarr.source.open import open_source
from virtualizarr.source.ranges import ByteRange

warnings.simplefilter("ignore", DeprecationWarning)
url, used = sys.argv[1], sys.argv[2] == "used"
source = open_source(url)
if used:
    source.read([ByteRange(0, 4)])
child = os.fork()
if child == 0:
    try:
        LocalSource(__file__ if "__file__" in globals() else sys.executable).facts()
        open_source(url, cache=False).read([ByteRange(0, 4)])
    except SourceError as error:
        os._exit(3 if "fork" in str(error) else 4)
    os._exit(0)
_, status = os.waitpid(child, 0)
source.read([ByteRange(0, 4)])
sys.exit(os.waitstatus_to_exitcode(status))
"""


@fork_only
@pytest.mark.parametrize(("used", "code"), [("unused", 0), ("used", 3)])
def test_a_forked_child_reads_or_says_why_not(
    range_server: RangeServer, used: str, code: int
) -> None:
    range_server.files["f.nc"] = b"0123456789"
    program = textwrap.dedent(FORK)
    done = subprocess.run(
        [sys.executable, "-c", program, f"{range_server.url}/f.nc", used], timeout=60, check=False
    )
    assert done.returncode == code


def test_it_stops_and_starts_again() -> None:
    loop = BackgroundLoop()

    async def answer() -> int:
        return 42

    assert loop.run(answer()) == 42
    loop.stop()
    loop.stop()
    assert loop.run(answer()) == 42
    assert asyncio.run(loop.run_async(answer())) == 42
    loop.stop()


def test_a_blocking_read_on_the_loop_itself_is_refused_not_a_deadlock() -> None:
    loop = BackgroundLoop()

    async def answer() -> int:
        return 42

    async def outer() -> int:
        return loop.run(answer())

    with pytest.raises(SourceError, match="event loop"):
        loop.run(outer())

    async def nested() -> int:
        return await loop.run_async(answer())

    assert loop.run(nested()) == 42
    loop.stop()

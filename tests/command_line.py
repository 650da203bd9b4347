"""The command line, as tests run it."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from virtualizarr.cli.app import app


def virtualizarr(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "virtualizarr", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def here(*words: object) -> subprocess.CompletedProcess[str]:
    """The same in this process, which spares the time to start one."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

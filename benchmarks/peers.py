"""The environment of the peers, and fresh processes in it and in ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WANTED = HERE / "peers.txt"
PLACE = HERE / ".venv-peers"
PYTHON = PLACE / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
INSTALLED = PLACE / "peers.txt"
LIMIT = 1800


def install() -> None:
    """Make the environment, if it is not there with just these versions."""
    if INSTALLED.exists() and INSTALLED.read_text() == WANTED.read_text():
        return
    print("installing the peers", flush=True)
    uv = os.environ.get("UV", "uv")
    subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, PLACE], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", PYTHON, "-r", WANTED], check=True)
    INSTALLED.write_text(WANTED.read_text())


def versions() -> dict[str, str]:
    """Return the peers' versions by name, as pinned."""
    lines = [line for line in WANTED.read_text().splitlines() if "==" in line]
    return dict(line.split("==") for line in lines)


def run(row: str, case: str, side: str, ours: bool) -> dict[str, Any]:
    """Run a side, or "make", in a fresh process: what `measure` printed, or {"error": why}."""
    python = sys.executable if ours else str(PYTHON)
    command = [python, "-W", "ignore", "-m", "benchmarks.measure", row, case, side]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    try:
        done = subprocess.run(
            command,
            cwd=HERE.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {LIMIT} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return {"error": lines[-1] if lines else f"exit {done.returncode}"}
    if side == "make":
        return {}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result

"""The environment of the peers, and a worker in it and in ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).resolve().parent
WANTED = HERE / "peers.txt"
PLACE = HERE / ".venv-peers"
PYTHON = PLACE / "bin/python"
INSTALLED = PLACE / "peers.txt"
# No icechunk: it starts threads when it is imported, and they would be missing after a fork.
OUR_MODULES = (
    *("virtualizarr", "virtualizarr.manifests", "virtualizarr.parsers.hdf5", "xarray", "zarr"),
    *("virtualizarr.api", "virtualizarr.engine", "dask.array", "pyproj", "kerchunk.xarray_backend"),
    *(
        "virtualizarr.parsers.grib",
        "virtualizarr.parsers.icechunk",
        "virtualizarr.parsers.kerchunk",
    ),
    *("virtualizarr.parsers.netcdf3", "virtualizarr.parsers.tiff", "virtualizarr.writers.kerchunk"),
    *("h5py", "pandas", "pyarrow.parquet"),
)
"""What ours uses, and what xarray and zarr import with it where it is installed."""
THEIR_MODULES = (
    *("virtualizarr", "virtualizarr.manifests", "virtualizarr.parsers", "xarray", "zarr"),
    *("h5py", "pandas", "netCDF4", "fastparquet", "obspec_utils.registry"),
    *("kerchunk.hdf", "kerchunk.grib2", "hidefix", "gribberish.virtualizarr", "virtual_tiff"),
)


def install() -> None:
    """Make the environment, if it is not there with just these versions."""
    if INSTALLED.exists() and INSTALLED.read_text() == WANTED.read_text():
        return
    print("installing the peers", file=sys.stderr, flush=True)
    uv = os.environ.get("UV", "uv")
    subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, PLACE], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", PYTHON, "-r", WANTED], check=True)
    INSTALLED.write_text(WANTED.read_text())


def versions() -> dict[str, str]:
    """Return the peers' versions by name, as pinned."""
    lines = [line for line in WANTED.read_text().splitlines() if "==" in line]
    return dict(line.split("==") for line in lines)


class Worker:
    """A process of one environment that answers measurements, a fork for each of them."""

    def __init__(self, python: str | Path, modules: tuple[str, ...]) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with the worker
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-m", "benchmarks.worker", *modules],
            cwd=HERE.parent,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
        self._log.close()

    def measure(self, row: str, case: str, side: str, patience: float) -> dict[str, Any]:
        """Return what `benchmarks.measure.measure` did there, or {"error": why}."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([row, case, side, patience]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"error": f"the worker ended: {self._last_words()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        status = self._process.wait()
        self._log.seek(0)
        lines = self._log.read().splitlines()
        return lines[-1] if lines else f"status {status}"


def our_worker() -> Worker:
    """Return a worker in this environment."""
    return Worker(sys.executable, OUR_MODULES)


def their_worker() -> Worker:
    """Return a worker in the environment of the peers."""
    return Worker(PYTHON, THEIR_MODULES)

"""ecCodes, the second witness of GRIB, in a process of its own.

It aborts at the end of a process that has loaded GDAL as well, and on some messages at once; a
process that dies is replaced.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np

MISSING = 9.5e30
_LENGTH = struct.Struct("<Q")

AVAILABLE = importlib.util.find_spec("eccodes") is not None
"""Whether ecCodes is installed here."""


class EccodesError(RuntimeError):
    """What ecCodes refused, or died of."""


def message(
    sample: str,
    values: Any = None,
    keys: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> bytes:
    """Return a message made from a sample of ecCodes; NaN among `values` becomes missing.

    `after` are keys that are set when the values are there, which are then set again.
    """
    found: bytes = _call("message", sample, values, keys or {}, after or {})
    return found


def values_of(data: bytes) -> np.ndarray[Any, Any]:
    """Return the values of a message, NaN where they are missing."""
    found: np.ndarray[Any, Any] = _call("values_of", data)
    return found


def keys_of(data: bytes, names: Sequence[str]) -> dict[str, Any]:
    """Return keys of a message, None for those that it does not have."""
    found: dict[str, Any] = _call("keys_of", data, tuple(names))
    return found


def keys_of_many(messages: Sequence[bytes], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return keys of messages."""
    found: list[dict[str, Any]] = _call("keys_of_many", list(messages), tuple(names))
    return found


def array_of(data: bytes, name: str) -> np.ndarray[Any, Any]:
    """Return a key of a message that has several values."""
    found: np.ndarray[Any, Any] = _call("array_of", data, name)
    return found


def points_of(data: bytes) -> np.ndarray[Any, Any]:
    """Return a row for each point as ecCodes' iterator has it: latitude, longitude, value."""
    found: np.ndarray[Any, Any] = _call("points_of", data)
    return found


class _Worker:
    """The process, started when it is first asked."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: tuple[Any, ...]) -> Any:
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            _send(process.stdin, request)
            good, answer = _receive(process.stdout)
        except (EOFError, BrokenPipeError, struct.error) as error:
            self.stop()
            raise EccodesError("ecCodes died") from error
        if not good:
            raise EccodesError(answer)
        return answer

    def stop(self) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process.kill()
            self._process.wait()
            self._process = None


_worker = _Worker()
atexit.register(_worker.stop)


def _call(name: str, *args: Any) -> Any:
    return _worker.ask((name, args))


def _send(pipe: IO[bytes], content: Any) -> None:
    data = pickle.dumps(content)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    (length,) = _LENGTH.unpack(pipe.read(_LENGTH.size))
    return pickle.loads(pipe.read(length))


def _serve() -> None:
    """Answer requests until there are no more; ecCodes' own cleaning up is not waited for."""
    import eccodes

    def make(sample: str, values: Any, keys: Mapping[str, Any], after: Mapping[str, Any]) -> bytes:
        handle = eccodes.codes_grib_new_from_samples(sample)
        _set(handle, keys)
        if values is not None:
            _set_values(handle, values)
            if after:
                _set(handle, after)
                _set_values(handle, values)
        data = bytes(eccodes.codes_get_message(handle))
        eccodes.codes_release(handle)
        return data

    def _set(handle: Any, keys: Mapping[str, Any]) -> None:
        for key, value in keys.items():
            if isinstance(value, list):
                eccodes.codes_set_array(handle, key, value)
            elif value is None:
                eccodes.codes_set_missing(handle, key)
            else:
                eccodes.codes_set(handle, key, value)

    def _set_values(handle: Any, values: Any) -> None:
        flat = np.asarray(values, np.float64).ravel()
        if np.isnan(flat).any():
            eccodes.codes_set(handle, "bitmapPresent", 1)
            eccodes.codes_set(handle, "missingValue", MISSING)
        eccodes.codes_set_values(handle, np.where(np.isnan(flat), MISSING, flat))

    def values_of(data: bytes) -> Any:
        handle = eccodes.codes_new_from_message(data)
        eccodes.codes_set(handle, "missingValue", MISSING)
        values = eccodes.codes_get_values(handle)
        eccodes.codes_release(handle)
        return np.where(values == MISSING, np.nan, values)

    def keys_of(data: bytes, names: Sequence[str]) -> dict[str, Any]:
        handle = eccodes.codes_new_from_message(data)
        found: dict[str, Any] = {}
        for name in names:
            try:
                found[name] = eccodes.codes_get(handle, name)
            except eccodes.CodesInternalError:
                found[name] = None
        eccodes.codes_release(handle)
        return found

    def array_of(data: bytes, name: str) -> Any:
        handle = eccodes.codes_new_from_message(data)
        found = eccodes.codes_get_array(handle, name)
        eccodes.codes_release(handle)
        return found

    def points_of(data: bytes) -> Any:
        handle = eccodes.codes_new_from_message(data)
        iterator = eccodes.codes_grib_iterator_new(handle, 0)
        rows = []
        while point := eccodes.codes_grib_iterator_next(iterator):
            rows.append(tuple(point))
        eccodes.codes_grib_iterator_delete(iterator)
        eccodes.codes_release(handle)
        return np.array(rows)

    known = {
        "message": make,
        "values_of": values_of,
        "keys_of": keys_of,
        "keys_of_many": lambda messages, names: [keys_of(each, names) for each in messages],
        "array_of": array_of,
        "points_of": points_of,
    }
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what ecCodes prints must not end up between the answers
    while True:
        try:
            name, args = _receive(sys.stdin.buffer)
        except (EOFError, struct.error):
            os._exit(0)
        try:
            _send(output, (True, known[name](*args)))
        except (eccodes.CodesInternalError, ValueError, TypeError) as error:
            _send(output, (False, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    _serve()

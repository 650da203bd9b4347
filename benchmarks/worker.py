"""A process that has imported what its sides need, and forks for every measurement.

    python -m benchmarks.worker MODULE ...

reads requests from standard input, a line of JSON each, `[row, case, side, patience]`, and answers
each with a line of JSON: what `measure` returned, or {"error": why}; and {"cpu": seconds that the
process took in all}. Every measurement begins in a process of its own whose modules are imported
and which did nothing else before. Modules of packages that are not installed are passed over.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from benchmarks.measure import measure

LIMIT = 60
"""How many times its patience a measurement may take, on the clock, before it is given up."""


def serve(modules: list[str]) -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for module in modules:
        if find_spec(module.partition(".")[0]) is not None:
            importlib.import_module(module)
    gc.collect()
    gc.freeze()
    for request in sys.stdin:
        json.dump(_in_a_child(json.loads(request)), answers)
        answers.write("\n")
        answers.flush()


def _in_a_child(request: list[Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(_limit(request))
        with os.fdopen(writer, "w") as told:
            json.dump(_outcome(request), told)
        raise SystemExit
    os.close(writer)
    with os.fdopen(reader) as lines:
        told_by_child = lines.read()
    _, status, usage = os.wait4(child, 0)
    with suppress(json.JSONDecodeError):
        return {**json.loads(told_by_child), "cpu": usage.ru_utime + usage.ru_stime}
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return {"error": f"not done after {_limit(request)} s"}
    return {"error": f"the process died, status {status}"}


def _limit(request: list[Any]) -> int:
    return max(1, int(LIMIT * request[-1]))


def _outcome(request: list[Any]) -> dict[str, Any]:
    try:
        return measure(*request)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}


if __name__ == "__main__":
    serve(sys.argv[1:])

"""Parses and decodes damaged copies of TIFF files; run as a program, since libraries may crash.

`parser_fuzz.py ROUNDS` reads paths, a line each, and prints for each a line of JSON: its name, how
often each error came out, and the most memory that Python held for one copy.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

from materialize import reader_of, values_of
from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import mutant

URL = "memory://a.tif"
LARGEST = 1 << 22


def outcome(data: bytes) -> str:
    try:
        group = run(TIFFParser().parse(URL), BytesSource(data, URL))
    except VirtualizeError as error:
        return type(error).__name__
    finally:
        peaks.append(tracemalloc.get_traced_memory()[1])
    try:
        for _, array in group.walk_arrays():
            if array.nbytes < LARGEST and array.manifest.location.size < 512:
                values_of(array, reader_of({URL: data}))
    except VirtualizeError:
        return "not decoded"
    return "decoded"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        whole = Path(line.strip()).read_bytes()
        peaks: list[int] = []
        outcomes: Counter[str] = Counter()
        for seed in range(int(sys.argv[1])):
            tracemalloc.start()
            outcomes[outcome(mutant(whole, seed))] += 1
            tracemalloc.stop()
        print(json.dumps([Path(line.strip()).name, dict(outcomes), max(peaks)]), flush=True)

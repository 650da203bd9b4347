"""The checksums of whole levels of nodes: one C call a node or page, none a chunk."""

from __future__ import annotations

import numpy as np
from numcodecs.jenkins import jenkins_lookup3

from virtualizarr.parsers.hdf5.decode_checksum import check_lookup3
from virtualizarr.parsers.hdf5.index.bounds import Bytes2D
from virtualizarr.source.ranges import Int64s

CHECKSUM = 4  # bytes of a checksum


def check_sums(rows: Bytes2D, starts: Int64s, what: str) -> None:
    """Raise CorruptFileError unless every row ends with the checksum of its other bytes.

    `starts` has the address of each row; `what` names them.
    """
    stored = rows[:, -CHECKSUM:].view("<u4")[:, 0]
    computed = np.fromiter(map(jenkins_lookup3, rows[:, :-CHECKSUM]), np.uint32, len(rows))
    wrong = stored != computed
    if wrong.any():
        row = int(wrong.argmax())
        check_lookup3(rows[row].tobytes(), what, int(starts[row]))


def check_sums_at(ends: Int64s, rows: Bytes2D, starts: Int64s, what: str) -> None:
    """The same for rows whose checksums stand at `ends`, wherever that is in each row."""
    first = int(ends[0])
    if bool((ends == first).all()):
        check_sums(rows[:, : first + CHECKSUM], starts, what)
        return
    at = ends[:, None] + np.arange(CHECKSUM)
    stored = np.take_along_axis(rows, at, axis=1).view("<u4")[:, 0]
    content = memoryview(np.ascontiguousarray(rows)).cast("B")  # cheaper to slice than an array
    begins = range(0, rows.size, rows.shape[1])
    parts = [content[at : at + end] for at, end in zip(begins, ends.tolist(), strict=True)]
    wrong = stored != np.fromiter(map(jenkins_lookup3, parts), np.uint32, len(rows))
    if wrong.any():
        row = int(wrong.argmax())
        check_lookup3(rows[row, : ends[row] + CHECKSUM].tobytes(), what, int(starts[row]))

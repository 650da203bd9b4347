"""References of 1,000 files written as kerchunk JSON, and read back."""

from benchmarks import references, writing_and_reading


def ours():
    import virtualizarr

    return _write, virtualizarr.parse


def virtualizarr_2():
    from virtualizarr.parsers import KerchunkJSONParser

    registry = references.peer_registry()
    return _write, lambda path: KerchunkJSONParser()(f"file://{path}", registry)._group


def _write(dataset, path):
    dataset.virtualize.to_kerchunk(str(path), format="json")


ROW = writing_and_reading.row(__doc__, "json", ours, virtualizarr_2, 1.0 / 10.1, 1.5 / 16.5)

"""References of 1,000 files written as kerchunk Parquet, and read back."""

from benchmarks import references, writing_and_reading


def ours():
    import virtualizarr

    return _write, virtualizarr.parse


def virtualizarr_2():
    from virtualizarr.parsers import KerchunkParquetParser

    registry = references.peer_registry()
    return _write, lambda path: KerchunkParquetParser()(f"file://{path}", registry)._group


def _write(dataset, path):
    dataset.virtualize.to_kerchunk(str(path), format="parquet")


ROW = writing_and_reading.row(__doc__, "parquet", ours, virtualizarr_2, 0.7 / 15.4, 0.5 / 22.8)

"""References of 1,000 files written as kerchunk Parquet, and read back."""

from benchmarks.writing_and_reading import kerchunk_row

ROW = kerchunk_row(__doc__, "parquet", "KerchunkParquetParser", 0.7 / 15.4, 0.5 / 22.8)

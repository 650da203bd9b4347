"""References of 1,000 files written as kerchunk JSON, and read back."""

from benchmarks.writing_and_reading import kerchunk_row

ROW = kerchunk_row(__doc__, "json", "KerchunkJSONParser", 1.0 / 10.1, 1.5 / 16.5)

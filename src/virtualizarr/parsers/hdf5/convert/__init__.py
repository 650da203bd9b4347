"""From HDF5's structures to Zarr's: what a reader of netCDF-4, or h5py, would show of a file.

`tree` is the way in. Pure: `elements` (types), `fill`, `attributes`, `dimensions`, `links`,
`pipeline`, `blocks`, `selections`, `placing`, `build`, `variables`. Readings, since what they
convert may lie in other blocks or in other files: `opening`, `arrays`, `strings`, `external`,
`virtual`, `tree`.
"""

"""From HDF5's structures to Zarr's: what a reader of netCDF-4, or h5py, would show of a file.

`elements` (types), `fill`, `attributes`, `dimensions`, `links`, `pipeline` and `blocks` are pure;
`arrays`, `strings`, `external`, `virtual` and `tree` are readings, since what they convert may
lie in other blocks or in other files.
"""

"""xarray's side: virtual arrays as Datasets and DataTrees, and back.

Only this package, `api`, `accessor` and `engine` import xarray.
"""

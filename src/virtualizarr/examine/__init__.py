"""Looking at stores: do their references hold (`verify`), do two differ (`diff`), what keeps files
from being combined (`check`).
"""

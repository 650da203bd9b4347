"""Joining virtual arrays by functions, under their import paths of VirtualiZarr 2.x.

numpy's own functions do the same: `numpy.concatenate`, `stack`, `expand_dims`, `broadcast_to`.
"""

from virtualizarr.model.duckarray import broadcast_to, concatenate, expand_dims, stack

__all__ = ["broadcast_to", "concatenate", "expand_dims", "stack"]

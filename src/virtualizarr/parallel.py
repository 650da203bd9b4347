"""Executors under their import path of VirtualiZarr 2.x."""

from virtualizarr.datasets.executors import (
    DaskDelayedExecutor,
    LithopsEagerFunctionExecutor,
    SerialExecutor,
)

__all__ = ["DaskDelayedExecutor", "LithopsEagerFunctionExecutor", "SerialExecutor"]

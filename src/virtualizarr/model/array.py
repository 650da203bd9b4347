"""ManifestArray: one virtual Zarr array, behaving as a numpy array that cannot give its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Never

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from virtualizarr.errors import NotLoadedError, UnsupportedFeatureError
from virtualizarr.model import duckarray, select
from virtualizarr.model.chunks import RegularGrid
from virtualizarr.model.combine import elements_equal
from virtualizarr.model.manifest import ChunkManifest, Location
from virtualizarr.model.metadata import ArrayMetadata

__all__ = ["ManifestArray"]

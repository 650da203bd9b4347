"""Which elements are NaN: not known, and good enough for comparing variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import NotLoadedError


def not_loaded(what: str) -> NotLoadedError:
    """Return the error for an operation that needs values."""
    return NotLoadedError(
        f"{what} needs values, and a virtual array holds only references to them; open the dataset "
        "with `.virtualize.open()`, load the variable with `loadable_variables=[...]`, or write "
        "the references and open what was written"
    )


class UnknownNulls:
    """Which elements are NaN (or, inverted, are not): stands in for a boolean array.

    `xarray` asks for it whenever it compares variables, `(a == b) | (isnull(a) & isnull(b))`, and
    then fills one with the other. Not knowing means counting on `a == b` alone, and choosing
    between two arrays is possible if they are equal. Everything else raises NotLoadedError.
    """

    __slots__ = ("shape",)

    dtype = np.dtype(np.bool_)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __and__(self, other: object) -> UnknownNulls:
        return self

    __rand__ = __and__

    def __or__[T](self, other: T) -> T:
        return other

    __ror__ = __or__

    def __invert__(self) -> UnknownNulls:
        return self

    def astype(self, dtype: npt.DTypeLike, **_: Any) -> UnknownNulls:
        """Return itself for bool; raises NotLoadedError for another dtype."""
        if np.dtype(dtype) != self.dtype:
            raise not_loaded("finding NaN")
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and ufunc is np.bitwise_and:
            return self
        if method == "__call__" and ufunc is np.bitwise_or:
            return inputs[1] if inputs[0] is self else inputs[0]
        raise not_loaded(f"numpy.{ufunc.__name__}")

    def __array_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        del types, kwargs
        if func is np.where and len(args) == 3 and args[0] is self:
            _, one, two = args
            if np.shape(one) == np.shape(two) and bool(np.all(one == two)):
                return one
        raise not_loaded(f"numpy.{func.__name__}")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        raise not_loaded("finding NaN")

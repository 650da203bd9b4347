"""Where each variable's data lie, from the header alone, with every bound checked."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.netcdf3.layout import Header, Var

MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Placement:
    """The data of one variable.

    `shape` has the record axis first where there is one. `nbytes` are the bytes of a whole fixed
    variable, or of one record of a record variable, without padding. `stride` is the distance from
    one record to the next; None where the data are one contiguous block of `shape`.
    """

    var: Var
    shape: tuple[int, ...]
    nbytes: int
    stride: int | None


def place(header: Header, size: int | None) -> dict[str, Placement]:
    """Return the placement of every variable, by name.

    `size` is the file's in bytes, None where unknown. Raises CorruptFileError, naming the variable,
    where variables overlap the header or each other; UnsupportedFeatureError where the records of a
    streamed file cannot be counted. That the file reaches as far is not checked here.
    """
    lengths = {var.name: _own_length(header, var) for var in header.vars}
    record_vars = [var for var in header.vars if header.is_record(var)]
    recsize = _record_size([lengths[var.name] for var in record_vars])
    numrecs = header.numrecs
    if numrecs is None:
        numrecs = _count_records(record_vars, recsize, size)
    if numrecs * recsize > MAX_SIZE:
        raise CorruptFileError(f"{numrecs} records of {recsize} bytes are larger than any file")
    fixed = [var for var in header.vars if not header.is_record(var)]
    _check_order(header, fixed, record_vars, lengths, recsize * numrecs)
    stride = recsize if len(record_vars) > 1 else None
    return {
        var.name: Placement(
            var=var,
            shape=_shape(header, var, numrecs),
            nbytes=lengths[var.name],
            stride=stride if header.is_record(var) else None,
        )
        for var in header.vars
    }


def data_end(placement: Placement) -> int:
    """Return the offset just past the variable's last byte; 0 where it has none."""
    var, shape = placement.var, placement.shape
    if 0 in shape:
        return 0
    if placement.stride is None:
        return var.begin + prod(shape) * var.dtype.itemsize
    return var.begin + placement.nbytes + (shape[0] - 1) * placement.stride


def truncated(placement: Placement, size: int | None) -> CorruptFileError:
    """Return the error that says a file of `size` bytes ends before the variable's data do."""
    name = placement.var.name
    ends = f"the file at {size:,}" if size is not None else "the file before that"
    return CorruptFileError(
        f"the file is truncated: the variable's data end at byte {data_end(placement):,}, {ends}; "
        f"drop_variables=[{name!r}] opens the rest",
        node=name,
        at=size,
    )


def _own_length(header: Header, var: Var) -> int:
    """Return the bytes of a fixed variable, or of one record, without padding."""
    dimids = var.dimids[1:] if header.is_record(var) else var.dimids
    length = var.dtype.itemsize
    for dimid in dimids:
        length *= header.dims[dimid].dim_length
        if length > MAX_SIZE:
            raise CorruptFileError("the variable is larger than any file", node=var.name, at=var.at)
    return length


def _padded(length: int) -> int:
    return length + -length % 4


def _record_size(lengths: list[int]) -> int:
    """Return the bytes of one record: each variable fills words, but a lone one is not padded."""
    return lengths[0] if len(lengths) == 1 else sum(map(_padded, lengths))


def _count_records(record_vars: list[Var], recsize: int, size: int | None) -> int:
    if not record_vars:
        return 0
    if size is None:
        raise UnsupportedFeatureError(
            "the file was being streamed: it does not say how many records it has, and its size "
            "is not known either"
        )
    first = min(var.begin for var in record_vars)
    return max(size - first, 0) // recsize


def _check_order(
    header: Header,
    fixed: list[Var],
    record_vars: list[Var],
    lengths: dict[str, int],
    records: int,
) -> None:
    """Check that no two variables share bytes; `records` is the size of the record section."""
    spans = [(var.begin, var.begin + lengths[var.name], var) for var in fixed]
    if record_vars:
        first = min(record_vars, key=lambda var: var.begin)
        spans.append((first.begin, first.begin + max(records, 1), first))
        slab = [(var.begin, var.begin + lengths[var.name], var) for var in record_vars]
        end = _check_disjoint(slab, first.begin)
        padded = sum(_padded(lengths[var.name]) for var in record_vars)
        if end - first.begin > padded:
            raise CorruptFileError(
                f"the record variables span {end - first.begin} bytes, a record has {padded}",
                node=first.name,
                at=first.at,
            )
    _check_disjoint(spans, header.end)


def _check_disjoint(spans: list[tuple[int, int, Var]], end: int) -> int:
    """Check that spans begin after `end` and do not overlap; return where the last one ends."""
    for begin, stop, var in sorted(spans, key=lambda span: span[:2]):
        if begin < end:
            raise CorruptFileError(
                f"the variable's data begin at byte {begin}, which belongs to what is before it "
                f"(up to byte {end})",
                node=var.name,
                at=var.at,
            )
        end = stop
    return end


def _shape(header: Header, var: Var, numrecs: int) -> tuple[int, ...]:
    lengths = [header.dims[dimid].dim_length for dimid in var.dimids]
    return (numrecs, *lengths[1:]) if header.is_record(var) else tuple(lengths)

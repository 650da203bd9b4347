"""Valid HDF5 and netCDF-4 files of random make: the features that writers combine, by a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np

from random_files import Rng, often, pick, write_by_seeds

NUMBERS = ("i1", "u1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", ">u8")
FLOATS = ("<f2", "<f4", ">f4", "<f8", ">f8")
TEXTS = ("", "a", "kelvin", "Größe", "two\nlines", "x" * 300)
LIBVERS = ("earliest", "v108", "v110", "v112", "v114", "latest")


def write_any(path: Path, seed: int) -> None:
    """Write a file that only `seed` decides."""
    rng = np.random.default_rng(seed)
    (_netcdf4 if rng.random() < 0.35 else _hdf5)(path, rng)


def _values(rng: Rng, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if dtype.fields:
        found = np.zeros(shape, dtype)
        for name in dtype.names or ():
            part = dtype.fields[name][0]
            found[name] = _values(rng, part.base, shape + part.shape)
        return found
    if dtype.kind == "S":
        words = np.array([pick(rng, TEXTS[:3]) for _ in range(int(np.prod(shape)))], dtype)
        return words.reshape(shape)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if often(rng, 0.3):
            return rng.integers(0, 5, shape).astype(dtype)
        drawn = rng.integers(limits.min, limits.max, shape, limits.dtype.newbyteorder("="), True)
        return drawn.astype(dtype)
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    found = np.round(rng.normal(0, 100, shape), 2).astype(dtype)
    if found.size and often(rng, 0.3):
        found.reshape(-1)[:: max(1, found.size // 3)] = pick(rng, (np.nan, np.inf, -0.0))
    return found


def _dtype(rng: Rng) -> np.dtype[Any]:
    draw = rng.random()
    if draw < 0.45:
        return np.dtype(pick(rng, FLOATS))
    if draw < 0.8:
        return np.dtype(pick(rng, NUMBERS))
    if draw < 0.85:
        return np.dtype(f"S{rng.integers(1, 12)}")
    if draw < 0.9:
        return np.dtype(bool)
    if draw < 0.95:
        return np.dtype(pick(rng, ("<c8", "<c16", ">c8")))
    fields = [("x", pick(rng, FLOATS)), ("n", pick(rng, NUMBERS))]
    if often(rng, 0.5):
        fields.append(("t", "S3"))
    return np.dtype(fields, align=often(rng, 0.5))


def _shape(rng: Rng, rank: int) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.choice((0, 1, 2, 3, 5, 8, 13, 30), rank, p=PROBABLE))


PROBABLE = (0.04, 0.1, 0.16, 0.2, 0.2, 0.15, 0.1, 0.05)


def _attribute(rng: Rng) -> Any:
    draw = rng.random()
    if draw < 0.35:
        return pick(rng, TEXTS)
    if draw < 0.45:
        return np.bytes_(pick(rng, ("", "ascii", "padded   ")))
    if draw < 0.55:
        return np.array([pick(rng, TEXTS[:4]) for _ in range(3)], h5py.string_dtype())
    if draw < 0.6:
        return h5py.Empty(pick(rng, ("f4", "S1")))
    dtype = np.dtype(pick(rng, NUMBERS + FLOATS))
    if often(rng, 0.5):
        return _values(rng, dtype, (1,))[0]
    return _values(rng, dtype, pick(rng, ((1,), (3,), (2, 2), (0,))))


def _attributes(rng: Rng, node: Any) -> None:
    for i in range(int(pick(rng, (0, 1, 2, 5, 12)))):
        node.attrs[f"attribute {i}" if often(rng, 0.2) else f"a{i}"] = _attribute(rng)


# -- h5py ------------------------------------------------------------------------------------------


def _hdf5(path: Path, rng: Rng) -> None:
    low = int(rng.integers(len(LIBVERS)))
    options: dict[str, Any] = {
        "libver": (LIBVERS[low], "latest"),
        "track_order": often(rng, 0.3),
        "userblock_size": pick(rng, (0, 0, 0, 512, 1024)),
    }
    if not options["userblock_size"] and often(rng, 0.2):
        options |= {"fs_strategy": pick(rng, ("page", "fsm", "aggregate"))}
        if options["fs_strategy"] == "page":
            options["fs_page_size"] = 4096
    with h5py.File(path, "w", **options) as f:
        _attributes(rng, f)
        groups = [f]
        for i in range(int(rng.integers(0, 4))):
            parent = pick(rng, groups)
            groups.append(parent.create_group(f"g{i}", track_order=often(rng, 0.3)))
            _attributes(rng, groups[-1])
        for i in range(int(rng.integers(1, 7))):
            group = pick(rng, groups)
            made = _dataset(rng, group, f"d{i}")
            if made is not None:
                _attributes(rng, made)
                if often(rng, 0.1):
                    f[f"hard{i}"] = made
                if often(rng, 0.1):
                    f[f"soft{i}"] = h5py.SoftLink(made.name)
        if often(rng, 0.2):
            for i in range(40):
                f.create_dataset(f"many/m{i:02}", data=np.float32(i))
        if often(rng, 0.1) and len(groups) > 1:
            del f[groups[-1].name]


def _dataset(rng: Rng, group: Any, name: str) -> Any:
    draw = rng.random()
    if draw < 0.06:
        return group.create_dataset(name, data=pick(rng, TEXTS))
    if draw < 0.14:
        words = np.array([pick(rng, TEXTS) for _ in range(7)], object)
        chunks = pick(rng, (None, (3,)))
        return group.create_dataset(name, data=words, dtype=h5py.string_dtype(), chunks=chunks)
    if draw < 0.17:
        return group.create_dataset(name, data=h5py.Empty("f4"))
    if draw < 0.2:
        kinds = h5py.enum_dtype({"land": 0, "sea": 1, "ice": 5}, basetype=pick(rng, ("i1", "<i4")))
        return group.create_dataset(name, data=rng.choice((0, 1, 5), 9), dtype=kinds)
    dtype = _dtype(rng)
    rank = int(rng.integers(0, 5))
    if rank == 0:
        return group.create_dataset(name, data=_values(rng, dtype, ())[()], dtype=dtype)
    shape = _shape(rng, rank)
    if often(rng, 0.3) or 0 in shape:
        return _contiguous(rng, group, name, dtype, shape)
    return _chunked(rng, group, name, dtype, shape)


def _contiguous(rng: Rng, group: Any, name: str, dtype: Any, shape: tuple[int, ...]) -> Any:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    _fill(rng, properties, dtype)
    size = dtype.itemsize * int(np.prod(shape))
    if often(rng, 0.3) and 0 < size < 30_000:
        properties.set_layout(h5py.h5d.COMPACT)
    else:
        properties.set_alloc_time(pick(rng, (h5py.h5d.ALLOC_TIME_EARLY, h5py.h5d.ALLOC_TIME_LATE)))
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.py_create(dtype, logical=True)
    made = h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, properties))
    if often(rng, 0.85) and size:
        made[...] = _values(rng, dtype, shape)
    return made


def _fill(rng: Rng, properties: Any, dtype: Any) -> None:
    if often(rng, 0.4):
        properties.set_fill_value(_values(rng, dtype, (1,)))
    if often(rng, 0.2):
        times = (h5py.h5d.FILL_TIME_ALLOC, h5py.h5d.FILL_TIME_IFSET)
        properties.set_fill_time(pick(rng, times))


def _filters(rng: Rng, properties: Any, dtype: Any) -> None:
    """Add filters in the orders that libraries use, and in some that they do not."""
    plain = dtype.kind in "iuf"
    draw = rng.random()
    if draw < 0.1 and plain and dtype.kind in "iu":
        properties.set_scaleoffset(h5py.h5z.SO_INT, int(pick(rng, (0, 3))))
    elif draw < 0.15 and dtype.kind == "f" and dtype.itemsize > 2:
        properties.set_scaleoffset(h5py.h5z.SO_FLOAT_DSCALE, 2)
    elif draw < 0.2 and plain and h5py.h5z.filter_avail(h5py.h5z.FILTER_NBIT):
        properties.set_filter(h5py.h5z.FILTER_NBIT)
    elif draw < 0.7 and often(rng, 0.7):
        properties.set_shuffle()
    draw = rng.random()
    if draw < 0.5:
        properties.set_deflate(int(rng.integers(0, 10)))
    elif draw < 0.6:
        properties.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
    elif draw < 0.65 and plain and h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP):
        properties.set_szip(pick(rng, (4, 32, 36)), 8)
    if often(rng, 0.25):
        properties.set_fletcher32()


def _chunked(rng: Rng, group: Any, name: str, dtype: Any, shape: tuple[int, ...]) -> Any:
    chunks = tuple(int(rng.integers(1, max(2, n + 2))) for n in shape)
    limits = [pick(rng, (n, n, h5py.h5s.UNLIMITED, n + int(rng.integers(0, 9)))) for n in shape]
    fixed = h5py.h5s.UNLIMITED
    chunks = tuple(
        c if limit == fixed else min(c, limit) for c, limit in zip(chunks, limits, strict=True)
    )
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(chunks)
    _fill(rng, properties, dtype)
    if often(rng, 0.15):
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    if often(rng, 0.7):
        _filters(rng, properties, dtype)
    if often(rng, 0.15):
        properties.set_chunk_opts(h5py.h5d.CHUNK_DONT_FILTER_PARTIAL_CHUNKS) if hasattr(
            properties, "set_chunk_opts"
        ) else None
    if often(rng, 0.3):
        properties.set_attr_phase_change(pick(rng, (0, 4)), 0)
    space = h5py.h5s.create_simple(shape, tuple(limits))
    kind = h5py.h5t.py_create(dtype, logical=True)
    try:
        made = h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, properties))
    except (ValueError, TypeError, RuntimeError, OSError):
        return None  # a filter that this library cannot set up
    try:
        _write(rng, made, dtype, shape)
    except (ValueError, TypeError, RuntimeError, OSError):
        del group[name]
        return None
    return made


def _write(rng: Rng, made: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    draw = rng.random()
    if draw < 0.1:
        return
    if draw < 0.6:
        made[...] = _values(rng, dtype, shape)
    else:
        for _ in range(int(rng.integers(1, 4))):
            low = [int(rng.integers(0, n)) for n in shape]
            high = [int(rng.integers(a + 1, n + 1)) for a, n in zip(low, shape, strict=True)]
            place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            made[place] = _values(rng, dtype, tuple(np.subtract(high, low)))
    if None in made.maxshape and often(rng, 0.4):
        axis = made.maxshape.index(None)
        size = list(shape)
        size[axis] = max(0, size[axis] + int(rng.integers(-3, 9)))
        made.resize(size)
    if made.id.get_num_chunks() and often(rng, 0.1):
        info = made.id.get_chunk_info(0)
        raw = np.ones(made.chunks, made.dtype).tobytes()
        made.id.write_direct_chunk(info.chunk_offset, raw, filter_mask=0xFFFFFFFF)


# -- netCDF4 ---------------------------------------------------------------------------------------


def _netcdf4(path: Path, rng: Rng) -> None:
    form = pick(rng, ("NETCDF4", "NETCDF4", "NETCDF4_CLASSIC"))
    with netCDF4.Dataset(path, "w", format=form) as nc:
        nc.set_auto_maskandscale(False)
        groups = [nc]
        if form == "NETCDF4":
            for i in range(int(rng.integers(0, 3))):
                groups.append(pick(rng, groups).createGroup(f"g{i}"))
        for group in groups:
            for i in range(int(rng.integers(1, 4))):
                name = f"{'xyzt'[i]}{len(groups) if often(rng, 0.3) else ''}"
                free = often(rng, 0.3) and (form == "NETCDF4" or not _has_unlimited(nc))
                if name not in group.dimensions:
                    group.createDimension(name, None if free else int(rng.integers(1, 9)))
            _netcdf_attributes(rng, group, form)
        for group in groups:
            for i in range(int(rng.integers(1, 5))):
                _variable(rng, group, f"v{i}", form)


def _has_unlimited(nc: Any) -> bool:
    return any(dimension.isunlimited() for dimension in nc.dimensions.values())


def _netcdf_attributes(rng: Rng, node: Any, form: str) -> None:
    numbers = ("i1", "i2", "i4", "f4", "f8")
    if form == "NETCDF4":
        numbers += ("u1", "u2", "u4", "i8", "u8")
    for i in range(int(pick(rng, (0, 1, 3, 10)))):
        if often(rng, 0.5):
            node.setncattr(f"a{i}", pick(rng, TEXTS))
        else:
            dtype = np.dtype(pick(rng, numbers))
            node.setncattr(f"a{i}", _values(rng, dtype, (int(rng.integers(1, 4)),)))


def _visible(group: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while group is not None:
        found = {**group.dimensions, **found}
        group = group.parent
    return found


def _variable(rng: Rng, group: Any, name: str, form: str) -> None:
    dimensions = _visible(group)
    names = list(dimensions)
    rng.shuffle(names)
    names = names[: int(rng.integers(0, 4))]
    if often(rng, 0.3) and names and names[0] not in group.variables:
        name, names = names[0], names[:1] if often(rng, 0.8) else names
        if often(rng, 0.2):
            name = f"other_{name}"
    if form != "NETCDF4":
        names.sort(key=lambda each: not dimensions[each].isunlimited())
    kinds = ("i1", "i2", "i4", "f4", "f8")
    if form == "NETCDF4":
        kinds += ("u1", "u2", "u4", "i8", "u8")
    if name in group.variables:
        return
    if form == "NETCDF4" and often(rng, 0.1):
        made = group.createVariable(name, str, names)
        shape = tuple(len(dimensions[each]) or 2 for each in names)
        made[...] = np.array(
            [pick(rng, TEXTS) for _ in range(int(np.prod(shape)))], object
        ).reshape(shape)
        return
    dtype = np.dtype(pick(rng, kinds))
    options: dict[str, Any] = {"endian": pick(rng, ("native", "big", "little"))}
    if often(rng, 0.6):
        options |= {
            "compression": pick(rng, ("zlib", "zlib", "zstd")),
            "shuffle": often(rng, 0.5),
        }
        options["fletcher32"] = often(rng, 0.3)
    if often(rng, 0.4):
        options["fill_value"] = pick(rng, (False, _values(rng, dtype, (1,))[0]))
    made = group.createVariable(name, dtype, names, **options)
    made.set_auto_maskandscale(False)
    shape = tuple(
        int(rng.integers(0, 5)) if dimensions[each].isunlimited() else len(dimensions[each])
        for each in names
    )
    if often(rng, 0.85) and 0 not in shape:
        made[tuple(slice(0, n) for n in shape)] = _values(rng, dtype, shape)
    if often(rng, 0.3) and dtype.kind == "i":
        made.setncatts({"scale_factor": 0.5, "add_offset": np.float32(2)})
    _netcdf_attributes(rng, made, form)


if __name__ == "__main__":
    write_by_seeds(write_any, ".h5")

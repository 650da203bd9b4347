"""Files to measure with, made on the spot by h5py and netCDF4."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case_file import made_whole

ATTRIBUTES = {
    "standard_name": "air_temperature",
    "long_name": "Near-Surface Air Temperature",
    "comment": "near-surface (usually, 2 meter) air temperature",
    "units": "K",
    "original_name": "TREFHT",
    "cell_methods": "area: time: mean",
    "cell_measures": "area: areacella",
    "history": "treated scalar dimension: 'height'; converted from double to float",
    "axis": "X",
    "frequency": "mon",
    "realm": "atmos",
    "time_label": "time-mean",
    "time_title": "Temporal mean",
    "title": "a title",
    "type": "real",
    "variable_id": "tas",
}


def small_netcdf4(path: Path, steps: int = 400) -> None:
    """Write a CMIP-like file: 11 variables, about 250 attributes, 2 x `steps` chunks."""
    import netCDF4

    with netCDF4.Dataset(path, "w", format="NETCDF4") as nc:
        sizes = {"time": None, "lat": 96, "lon": 144, "bnds": 2, "plev": 5}
        for name, size in sizes.items():
            nc.createDimension(name, size)
        for i in range(40):
            nc.setncattr(f"global_attribute_{i:02}", f"text of global attribute {i} " * 3)

        def variable(name: str, dtype: str, dims: tuple[str, ...], **options: Any) -> Any:
            made = nc.createVariable(name, dtype, dims, **options)
            made.setncatts(ATTRIBUTES)
            made.setncattr("missing_value", np.float32(1e20))
            made.setncattr("valid_range", np.array([0, 1], "f4"))
            return made

        variable("time", "f8", ("time",), chunksizes=(512,))[:] = np.arange(steps)
        variable("lat", "f8", ("lat",))[:] = np.linspace(-90, 90, 96)
        variable("lon", "f8", ("lon",))[:] = np.linspace(0, 360, 144)
        variable("time_bnds", "f8", ("time", "bnds"), chunksizes=(1, 2))[:] = np.zeros((steps, 2))
        variable("lat_bnds", "f8", ("lat", "bnds"))[:] = 0
        variable("lon_bnds", "f8", ("lon", "bnds"))[:] = 0
        variable("height", "f8", ())[...] = 2.0
        variable("plev", "f8", ("plev",))[:] = np.arange(5)
        squeezed = {"zlib": True, "shuffle": True, "complevel": 1}
        random = np.random.default_rng(0)
        variable("areacella", "f4", ("lat", "lon"), **squeezed)[:] = random.random((96, 144))
        variable("orog", "f4", ("lat", "lon"), **squeezed)[:] = random.random((96, 144))
        tas = variable(
            "tas",
            "f4",
            ("time", "lat", "lon"),
            chunksizes=(1, 96, 144),
            fill_value=1e20,
            **squeezed,
        )
        tas[:] = np.round(280 + 10 * random.random((steps, 96, 144)), 1).astype("f4")


def nested_netcdf4(path: Path, groups: int = 6) -> None:
    """Write 50 x `groups` variables in 6 x `groups` groups, 10 attributes each."""
    import netCDF4

    sizes = {"time": 10, "obs": 200, "y": 50, "x": 60}
    layouts = (
        ("f4", ("obs",), (100,)),
        ("i2", ("y", "x"), (25, 30)),
        ("f8", ("time", "y", "x"), (1, 50, 60)),
    )
    with netCDF4.Dataset(path, "w", format="NETCDF4") as nc:
        for name in ("time", "y", "x"):
            nc.createDimension(name, None if name == "time" else sizes[name])
        for g in range(groups):
            group = nc.createGroup(f"group_{g}")
            for s in range(5):
                sub = group.createGroup(f"sub_{s}")
                sub.createDimension("obs", sizes["obs"])
                for v in range(10):
                    dtype, dims, chunks = layouts[v % 3]
                    made = sub.createVariable(
                        f"var_{v:02}", dtype, dims, zlib=True, shuffle=True, chunksizes=chunks
                    )
                    made.setncatts({f"attr_{a}": f"value {a} of {v}" for a in range(10)})
                    made[:] = np.zeros([sizes[name] for name in dims])


def granule(path: Path, beams: int = 6) -> None:
    """Write an ICESat-like granule: about 167 datasets a beam, 7 attributes each, shared scales."""
    import h5py

    parts = [("heights", 14), ("geolocation", 40), ("geophys_corr", 30), ("bckgrd_atlas", 20)]
    parts += [("land", 20), ("ocean", 20), ("residuals", 16)]
    squeezed = {"compression": "gzip", "compression_opts": 6, "shuffle": True}
    with h5py.File(path, "w") as f:
        for beam in range(beams):
            for part, count in parts:
                group = f.create_group(f"gt{beam}/{part}")
                scale = group.create_dataset(
                    "delta_time",
                    data=np.arange(5000.0),
                    chunks=(1000,),
                    maxshape=(None,),
                    **squeezed,
                )
                scale.make_scale("delta_time")
                for j in range(count):
                    dtype = ("f4", "f8", "i4", "i1")[j % 4]
                    made = group.create_dataset(
                        f"param_{j:02}",
                        data=np.arange(5000).astype(dtype),
                        chunks=(1000,),
                        maxshape=(None,),
                        **squeezed,
                    )
                    made.dims[0].attach_scale(scale)
                    for name in ("contentType", "long_name", "source", "units", "standard_name"):
                        made.attrs[name] = np.bytes_(f"{name} of parameter {j}")
                    made.attrs["coordinates"] = np.bytes_("delta_time lat_ph lon_ph")
                    made.attrs["valid_min"] = np.float64(0)


def chunk_index(path: Path, count: int, kind: str) -> None:
    """Write one dataset of `count` tiny chunks under one kind of chunk index."""
    import h5py

    libver = "earliest" if kind == "btree1" else ("v110", "v110")
    grid = (count // 1000, 10, 100)
    shape = tuple(2 * n for n in grid)
    unlimited = {"btree1": 1, "extensible": 1, "fixed": 0, "btree2": 2}[kind]
    limits = (h5py.h5s.UNLIMITED,) * unlimited + shape[unlimited:]
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((2, 2, 2))
    properties.set_shuffle()
    properties.set_deflate(1)
    lengths = np.random.default_rng(0).integers(8, 40, count).reshape(grid)
    with h5py.File(path, "w", libver=libver) as f:
        space = h5py.h5s.create_simple(shape, limits)
        data = h5py.h5d.create(f.id, b"data", h5py.h5t.IEEE_F32LE, space, properties)
        for cell in np.ndindex(*grid):
            data.write_direct_chunk(tuple(2 * i for i in cell), bytes(int(lengths[cell])))


def scattered(path: Path, count: int) -> None:
    """Write a sparse file of `count` 64 KiB chunks under a B-tree v1 whose nodes lie far apart."""
    import h5py

    shape = (count // 100, 10 * 128, 10 * 128)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk((1, 128, 128))
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "w", libver="earliest") as f:
        space = h5py.h5s.create_simple(shape, (h5py.h5s.UNLIMITED, *shape[1:]))
        h5py.h5d.create(f.id, b"data", h5py.h5t.IEEE_F32LE, space, properties)


def spread_variables(path: Path, groups: int = 6) -> None:
    """Write 50 x `groups` variables of 20 MB, sparse, so that headers lie far apart."""
    import h5py

    with h5py.File(path, "w", libver="earliest") as f:
        for g in range(groups):
            for s in range(5):
                group = f.create_group(f"group_{g}/sub_{s}")
                for v in range(10):
                    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                    properties.set_chunk((1, 256, 512))
                    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
                    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
                    space = h5py.h5s.create_simple((40, 256, 512))
                    made = h5py.Dataset(
                        h5py.h5d.create(
                            group.id, b"var_%02d" % v, h5py.h5t.IEEE_F32LE, space, properties
                        )
                    )
                    for a in range(12):
                        made.attrs[f"attr_{a}"] = np.bytes_(f"attribute {a} of variable {v}")


def daily_files(folder: Path, count: int) -> None:
    """Write `count` netCDF-4 files of 31 days: 4 variables, 40 attributes, 34 chunks each."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        made_whole(folder / f"{i:05}.nc", partial(_month, i))


def _month(i: int, path: Path) -> None:
    import netCDF4

    with netCDF4.Dataset(path, "w", format="NETCDF4") as nc:
        for name, size in {"time": None, "lat": 24, "lon": 36}.items():
            nc.createDimension(name, size)
        nc.setncatts({f"global_{a}": f"text of global attribute {a}" for a in range(12)})
        time = nc.createVariable("time", "f8", ("time",), chunksizes=(31,))
        time.setncatts({"units": "days since 1950-01-01", "calendar": "standard", "axis": "T"})
        time[:] = 31 * i + np.arange(31)
        for name, values in {
            "lat": np.linspace(-90, 90, 24),
            "lon": np.arange(36) * 10,
        }.items():
            made = nc.createVariable(name, "f8", (name,))
            made.setncatts({"units": "degrees", "long_name": name, "standard_name": name})
            made[:] = values
        tas = nc.createVariable(
            "tas", "f4", ("time", "lat", "lon"), chunksizes=(1, 24, 36), zlib=True, shuffle=True
        )
        tas.setncatts(ATTRIBUTES)
        tas[:] = 280 + np.random.default_rng(i).integers(0, 10, (31, 24, 36))


def implicit(path: Path, count: int) -> None:
    """Write a dataset of `count` chunks that lie in order, and one of chunks never written."""
    import h5py

    shape = (count // 1000 * 2, 20, 200)
    with h5py.File(path, "w", libver=("v110", "v110")) as f:
        for name, when in (("data", h5py.h5d.ALLOC_TIME_EARLY), ("empty", None)):
            properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            properties.set_chunk((2, 2, 2))
            if when is not None:
                properties.set_alloc_time(when)
                properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            space = h5py.h5s.create_simple(shape)
            h5py.h5d.create(f.id, name.encode(), h5py.h5t.IEEE_F32LE, space, properties)

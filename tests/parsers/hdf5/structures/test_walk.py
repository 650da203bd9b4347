"""The walk over files that h5py writes, compared with h5py's own view of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from parsers.hdf5.structures.h5py_view import view
from parsers.hdf5.structures.our_view import differences, opened
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf5.layout import (
    ChunkedLayout,
    ChunkIndexType,
    Dataset,
    ExternalLink,
    Group,
    RegularHyperslab,
    SoftLink,
    VirtualLayout,
)
from virtualizarr.parsers.hdf5.read import read_superblock, resolve
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

OLD_AND_NEW = ["earliest", ("v108", "v110"), ("v114", "v200")]


def agree(path: Path) -> None:
    _, hierarchy, _ = opened(path.read_bytes())
    assert differences(hierarchy, view(str(path))) == []


def libhdf5() -> ctypes.CDLL:
    """Return the library inside h5py, for what h5py does not wrap."""
    folder = Path(h5py.__file__).parent.parent / "h5py.libs"
    library = next(iter(folder.glob("libhdf5-*.so*")), None)
    if library is None:
        pytest.skip("this h5py does not carry its own libhdf5")
    return ctypes.CDLL(str(library))


def property_list(
    kind: h5py.h5p.PropClassID = h5py.h5p.FILE_CREATE, **settings: tuple[int, ...]
) -> h5py.h5p.PropInstanceID:
    """Return a property list of class `kind` with settings that h5py does not wrap."""
    created = h5py.h5p.create(kind)
    for name, values in settings.items():
        function = getattr(libhdf5(), "H5Pset_" + name.rstrip("_"))
        function.argtypes = [ctypes.c_int64, *[ctypes.c_uint] * len(values)]
        assert function(created.id, *values) >= 0
    return created


def fill(file: h5py.File, unlimited: bool = True) -> None:
    """Write a bit of everything."""
    file.attrs["title"] = "a file"
    group = file.create_group("group/below")
    group.attrs["numbers"] = np.arange(6, dtype=">i2").reshape(2, 3)
    data = group.create_dataset("data", data=np.arange(12.0).reshape(3, 4), chunks=(2, 2))
    data.attrs["units"] = np.bytes_("m")
    data.make_scale("scale")
    group.create_dataset("scalar", data=1.5)
    group.create_dataset("null", data=h5py.Empty("f4"))
    group.create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype())
    more = file.create_dataset(
        "zipped",
        shape=(0, 5),
        maxshape=(None if unlimited else 100, 5),
        chunks=(3, 5),
        dtype="u2",
        fillvalue=7,
        compression="gzip",
        shuffle=True,
        fletcher32=True,
    )
    more.dims[1].label = "x"
    more.dims[0].attach_scale(data)
    file["named"] = np.dtype([("a", "i4"), ("b", "f8", (2,))])
    file["typed"] = np.zeros(3, file["named"].dtype)
    typed = h5py.h5d.create(file.id, b"committed", file["named"].id, h5py.h5s.create_simple((2,)))
    h5py.Dataset(typed).attrs.create("kind", np.zeros((), file["named"].dtype))
    file["soft"] = h5py.SoftLink("/group/below")
    file["dangling"] = h5py.SoftLink("nowhere")
    file["outside"] = h5py.ExternalLink("other.h5", "/x/y")
    file["group/again"] = file["zipped"]
    file["group/below/up"] = file["group"]


@pytest.mark.parametrize("libver", OLD_AND_NEW)
@pytest.mark.parametrize("userblock", [0, 512, 8192])
@pytest.mark.parametrize("track_order", [False, True])
def test_all_kinds_of_objects(
    tmp_path: Path, libver: Any, userblock: int, track_order: bool
) -> None:
    path = tmp_path / "file.h5"
    options = {"libver": libver, "userblock_size": userblock, "track_order": track_order}
    with h5py.File(path, "w", **options) as file:
        fill(file)
    agree(path)


@pytest.mark.parametrize("sizes", [(2, 2), (4, 4), (8, 4), (4, 8)])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_sizes_of_offsets_and_lengths(tmp_path: Path, sizes: tuple[int, int], libver: str) -> None:
    if sizes == (2, 2) and libver == "latest":
        pytest.skip("libhdf5 cannot read its own fractal heaps of these sizes")
    path = tmp_path / "file.h5"
    created = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    created.set_sizes(*sizes)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    low = h5py.h5f.LIBVER_EARLIEST if libver == "earliest" else h5py.h5f.LIBVER_LATEST
    access.set_libver_bounds(low, h5py.h5f.LIBVER_LATEST)
    with h5py.File(h5py.h5f.create(str(path).encode(), fcpl=created, fapl=access)) as file:
        fill(file, unlimited=False)  # libhdf5 takes four bytes of ones for a limit
        for i in range(20):
            file["group"].attrs[f"dense_{i}"] = i
    superblock, _, _ = opened(path.read_bytes())
    assert (superblock.sizes.offset, superblock.sizes.length) == sizes
    agree(path)


def test_non_default_symbol_table_k(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    created = property_list(sym_k=(2, 1))
    with h5py.File(h5py.h5f.create(str(path).encode(), fcpl=created)) as file:
        for i in range(100):
            file.create_group(f"group {i * 7919 % 100:03d}")
    agree(path)


@pytest.mark.parametrize("count", [3, 9, 300, 3000])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_many_links(tmp_path: Path, count: int, libver: str) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        group = file.create_group("many")
        for i in range(count):
            group[f"{'long name ' * (i % 5)}{i}"] = h5py.SoftLink(f"/{i}")
    _, hierarchy, _ = opened(path.read_bytes())
    many = resolve(hierarchy, "/many")
    assert isinstance(many, Group)
    with h5py.File(path) as file:
        assert list(many.links) == list(file["many"])
    assert [link.target for link in many.links.values()] == [
        "/" + name.rpartition(" ")[2] for name in many.links
    ]


@pytest.mark.parametrize("count", [20, 400, 2000])
@pytest.mark.parametrize(
    "filters",
    [
        {"deflate": (6,)},
        {"fletcher32": (), "deflate": (1,)},
    ],
)
def test_filtered_heap(tmp_path: Path, count: int, filters: dict[str, tuple[int, ...]]) -> None:
    path = tmp_path / "file.h5"
    created = property_list(h5py.h5p.GROUP_CREATE, **filters)
    with h5py.File(path, "w", libver="latest") as file:
        group = h5py.Group(h5py.h5g.create(file.id, b"many", gcpl=created))
        for i in range(count):
            group[f"a name that is often repeated {i}"] = h5py.SoftLink(f"/{i}")
    agree(path)
    _, hierarchy, _ = opened(path.read_bytes())
    many = resolve(hierarchy, "/many")
    assert isinstance(many, Group)
    assert len(many.links) == count


@pytest.mark.parametrize("count", [3, 30])
def test_order_of_creation(tmp_path: Path, count: int) -> None:
    path = tmp_path / "file.h5"
    names = [f"{i * 7 % count:02d}" for i in range(count)]
    with h5py.File(path, "w", track_order=True) as file:
        group = file.create_group("tracked", track_order=True)
        for name in names:
            group.create_group(name)
            group.attrs[name] = name
    _, hierarchy, _ = opened(path.read_bytes())
    tracked = resolve(hierarchy, "/tracked")
    assert isinstance(tracked, Group)
    assert list(tracked.links) == names
    assert list(tracked.attributes) == names


@pytest.mark.parametrize("libver", OLD_AND_NEW)
def test_many_and_large_attributes(tmp_path: Path, libver: Any) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        data = file.create_dataset("data", data=1)
        for i in range(500):
            data.attrs[f"attribute {i}"] = "x" * (i % 50)
        if libver != "earliest":
            data.attrs["huge"] = np.arange(20_000)
            data.attrs["large"] = np.arange(5_000, dtype="u1")
        names = list(data.attrs)
    agree(path)
    _, hierarchy, _ = opened(path.read_bytes())
    data = resolve(hierarchy, "data")
    assert isinstance(data, Dataset)
    assert sorted(data.attributes) == names
    if libver != "earliest":
        assert list(data.attributes) == names


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("cutoffs", [(50, 40), (2, 1), (0, 0)])
def test_shared_messages(tmp_path: Path, libver: str, cutoffs: tuple[int, int]) -> None:
    path = tmp_path / "file.h5"
    types = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 11  # dataspaces, datatypes, fill values, filters
    created = property_list(
        shared_mesg_nindexes=(2,),
        shared_mesg_index=(0, 1 << 12, 1),  # attributes
        shared_mesg_index_=(1, types, 1),
        shared_mesg_phase_change=cutoffs,
    )
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    low = h5py.h5f.LIBVER_EARLIEST if libver == "earliest" else h5py.h5f.LIBVER_LATEST
    access.set_libver_bounds(low, h5py.h5f.LIBVER_LATEST)
    with h5py.File(h5py.h5f.create(str(path).encode(), fcpl=created, fapl=access)) as file:
        fill(file)
        for i in range(30):
            data = file.create_dataset(f"shared {i}", shape=(3, 4), dtype="f4", fillvalue=i % 3)
            for j in range(12):
                data.attrs[f"attribute {j}"] = "the same text in all of them"
    agree(path)


class CacheImageConfig(ctypes.Structure):
    """H5AC_cache_image_config_t."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("generate_image", ctypes.c_bool),
        ("save_resize_status", ctypes.c_bool),
        ("entry_ageout", ctypes.c_int),
    )


def test_metadata_cache_image(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    config = CacheImageConfig(1, True, False, -1)
    function = libhdf5().H5Pset_mdc_image_config
    function.argtypes = [ctypes.c_int64, ctypes.c_void_p]
    assert function(access.id, ctypes.addressof(config)) >= 0
    with h5py.File(h5py.h5f.create(str(path).encode(), fapl=access)) as file:
        for i in range(5):
            group = file.create_group(f"group {i}")
            group.create_dataset("data", data=np.arange(i)).attrs["number"] = i
    superblock, _, _ = opened(path.read_bytes())
    assert len(superblock.cache_image) > 5
    agree(path)


def test_every_chunk_index(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.create_dataset("single", data=np.zeros((4, 4)), chunks=(4, 4))
        file.create_dataset("zipped", data=np.zeros(40), chunks=(40,), compression="gzip")
        file.create_dataset("fixed", data=np.zeros((8, 4)), chunks=(4, 4))
        file.create_dataset(
            "extensible", shape=(8, 4), dtype="f8", maxshape=(None, 4), chunks=(4, 4)
        )
        file.create_dataset("btree", shape=(8, 4), dtype="f8", maxshape=(None, None), chunks=(4, 4))
    agree(path)
    _, hierarchy, _ = opened(path.read_bytes())
    expected = {
        "single": ChunkIndexType.SINGLE_CHUNK,
        "zipped": ChunkIndexType.SINGLE_CHUNK,
        "fixed": ChunkIndexType.FIXED_ARRAY,
        "extensible": ChunkIndexType.EXTENSIBLE_ARRAY,
        "btree": ChunkIndexType.BTREE_V2,
    }
    for name, index_type in expected.items():
        found = resolve(hierarchy, name)
        assert isinstance(found, Dataset)
        assert isinstance(found.layout, ChunkedLayout)
        assert found.layout.index_type is index_type
        with h5py.File(path) as file:
            assert found.layout.element_size == file[name].dtype.itemsize
    zipped = resolve(hierarchy, "zipped")
    assert isinstance(zipped, Dataset)
    assert isinstance(zipped.layout, ChunkedLayout)
    with h5py.File(path) as file:
        stored = file["zipped"].id.get_chunk_info(0)
    assert zipped.layout.single_chunk_size == stored.size
    assert zipped.layout.index_address == stored.byte_offset


@pytest.mark.parametrize("libver", [("v110", "v110"), ("v110", "v112"), ("v200", "v200")])
def test_virtual_dataset(tmp_path: Path, libver: Any) -> None:
    path = tmp_path / "file.h5"
    layout = h5py.VirtualLayout(shape=(6, 10), maxshape=(None, 10), dtype="f4")
    for i in range(3):
        source = h5py.VirtualSource(f"part{i}.h5", "data", shape=(2, 10))
        layout[2 * i : 2 * i + 2] = source
    whole = h5py.VirtualSource("strided.h5", "x/y", shape=(20, 20), maxshape=(None, 20))
    unlimited = h5py.VirtualLayout(shape=(20, 10), maxshape=(None, 10), dtype="f4")
    unlimited[0 : h5py.h5s.UNLIMITED, :] = whole[0 : h5py.h5s.UNLIMITED, ::2]
    with h5py.File(path, "w", libver=libver) as file:
        file.create_virtual_dataset("blocks", layout)
        file.create_virtual_dataset("unlimited", unlimited)
    agree(path)
    _, hierarchy, _ = opened(path.read_bytes())
    blocks, endless = resolve(hierarchy, "blocks"), resolve(hierarchy, "unlimited")
    assert isinstance(blocks, Dataset)
    assert isinstance(blocks.layout, VirtualLayout)
    for i, mapping in enumerate(blocks.layout.mappings):
        slab = mapping.virtual_selection
        assert isinstance(slab, RegularHyperslab)
        assert slab.start == (2 * i, 0)
        extent = zip(slab.count, slab.block, strict=True)
        assert [(count or 0) * (block or 0) for count, block in extent] == [2, 10]
    assert isinstance(endless, Dataset)
    assert isinstance(endless.layout, VirtualLayout)
    (mapping,) = endless.layout.mappings
    assert isinstance(mapping.source_selection, RegularHyperslab)
    assert None in (mapping.source_selection.count[0], mapping.source_selection.block[0])
    assert mapping.source_selection.stride[1] == 2


def test_external_storage(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    external = [("a.raw", 16, 40), ("b.raw", 0, h5py.h5f.UNLIMITED)]
    with h5py.File(path, "w") as file:
        file.create_dataset("data", shape=(30,), maxshape=(None,), dtype="f4", external=external)
    agree(path)
    _, hierarchy, _ = opened(path.read_bytes())
    data = resolve(hierarchy, "data")
    assert isinstance(data, Dataset)
    assert [each.size for each in data.external_files] == [40, None]


def test_cycle_ends(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        here = file.create_group("a")
        for _ in range(30):  # 2**30 paths lead to the last group
            below = here.create_group("left")
            here["right"] = below
            here = below
        here["top"] = file["/"]
    _, hierarchy, _ = opened(path.read_bytes())
    assert len(hierarchy.objects) == 32
    assert hierarchy.paths["/a" + "/left" * 30 + "/top"] == hierarchy.root.address
    assert resolve(hierarchy, "/a" + "/right" * 30 + "/top/a") is resolve(hierarchy, "a")


def nested(file: h5py.File) -> None:
    file["top"] = np.arange(3)
    file["other/hidden"] = 1
    file["a/b/data"] = 2.0
    file["a/near"] = 3
    file["short"] = h5py.SoftLink("a/b")
    file["a/self"] = h5py.SoftLink("self")
    file["away"] = h5py.ExternalLink("else.h5", "/")


@pytest.fixture
def nested_file(tmp_path: Path) -> bytes:
    path = tmp_path / "nested.h5"
    with h5py.File(path, "w") as file:
        nested(file)
    return path.read_bytes()


@pytest.mark.parametrize("group", ["/a/b", "a/b/", "short", "/a/./b"])
def test_one_group(nested_file: bytes, group: str) -> None:
    _, hierarchy, _ = opened(nested_file, group)
    assert hierarchy.root.path == "/a/b"
    assert {each.path for each in hierarchy.objects.values()} == {"/a/b", "/a/b/data"}
    assert [each.path for each in hierarchy.ancestors] == ["/", "/a"]
    assert {"/top", "/a/near", "/other"} <= set(hierarchy.paths)


@pytest.mark.parametrize(
    "group, error, words",
    [
        ("/a/missing", VirtualizeError, "no 'missing' in group '/a'"),
        ("/a/self", CorruptFileError, "too many soft links"),
        ("/away/x", UnsupportedFeatureError, "else.h5"),
        ("/top/x", VirtualizeError, "no 'x'"),
    ],
)
def test_no_such_group(
    nested_file: bytes, group: str, error: type[VirtualizeError], words: str
) -> None:
    with pytest.raises(error, match=words):
        opened(nested_file, group)


def test_resolve(nested_file: bytes) -> None:
    _, hierarchy, _ = opened(nested_file)
    data = hierarchy.objects[hierarchy.paths["/a/b/data"]]
    assert resolve(hierarchy, "/short/data") is data
    assert resolve(hierarchy, "b/data", start="/a") is data
    assert resolve(hierarchy, "/a/self") is None
    assert resolve(hierarchy, "away/data") is None
    root = hierarchy.root
    assert isinstance(root, Group)
    assert root.links["short"] == SoftLink("short", "a/b")
    assert root.links["away"] == ExternalLink("away", "else.h5", "/")


def test_rounds_follow_depth_not_breadth(tmp_path: Path) -> None:
    def rounds(width: int) -> int:
        path = tmp_path / f"{width}.h5"
        with h5py.File(path, "w") as file:
            for i in range(width):
                data = file.create_dataset(f"group {i}/data", data=i)
                for j in range(5):
                    data.attrs[f"long attribute {j}"] = "text " * 10
        _, hierarchy, source = opened(path.read_bytes())
        assert len(hierarchy.objects) == 1 + 2 * width
        return source.rounds

    assert rounds(40) <= rounds(2) + 1  # one for the second level of a symbol table's B-tree
    assert rounds(40) <= 14


def test_driver_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "part-%d.h5", "w", driver="family", memb_size=65536) as file:
        file["data"] = np.arange(10)
    with pytest.raises(UnsupportedFeatureError, match="family"):
        run(read_superblock(), BytesSource((tmp_path / "part-0.h5").read_bytes()))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_truncated(tmp_path: Path, libver: str) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file["data"] = np.arange(1000)
    data = path.read_bytes()
    with pytest.raises(CorruptFileError, match=f"{len(data) - 1} bytes.*{len(data)}"):
        opened(data[:-1])
    opened(data + b"more")


def test_open_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["data"] = 1
        file.flush()
        data = path.read_bytes()
    with pytest.raises(CorruptFileError, match="writer"):
        opened(data)


def test_far_user_block(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", userblock_size=65536) as file:
        fill(file)
    agree(path)
    data = path.read_bytes()
    _, hierarchy, _ = opened(data[65536:])  # the user block taken off, as libhdf5 allows
    assert len(hierarchy.objects) > 5


@pytest.mark.parametrize("make", [bytes, lambda n: b"CDF\x01" * n])
def test_no_signature(make: Callable[[int], bytes]) -> None:
    with pytest.raises(CorruptFileError, match="no HDF5 file"):
        run(read_superblock(), BytesSource(make(3000)))

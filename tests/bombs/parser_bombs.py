"""Small files of every format that declare enormous things; run as a program, they are parsed.

    python -m bombs.parser_bombs FOLDER

prints JSON: what came of each, within the limits that fuzzing has.
"""

from __future__ import annotations

import json
import struct
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.campaign import BYTES_PER_BYTE, FREE_BYTES, examined

HUGE = 10**9
MOST = (1 << 31) - 1

type Bomb = Callable[[Path], None]
"""Writes files into an empty folder; every file or directory there is parsed on its own."""


def hdf5(folder: Path) -> None:
    """Write grids of 10^8 chunks and more, without a chunk or with one."""
    import h5py

    for libver in ("earliest", "latest"):
        with h5py.File(folder / f"{libver}.h5", "w", libver=libver) as f:
            f.create_dataset("empty", (10**8,), "u1", chunks=(1,))
            if libver == "earliest":  # the newer index has a place for each of them
                f.create_dataset("one", (10**8,), "u1", chunks=(1,))[10**8 - 1] = 1
            f.create_dataset("square", (10**9, 10**9), "f8", chunks=(10, 10), compression=1)
            f.create_dataset("growing", (10**15,), "i2", chunks=(100,), maxshape=(None,))[5] = 1
            f.create_dataset("contiguous", (10**12,), "f8")
            f.create_dataset("text", (10**7,), h5py.string_dtype(), chunks=(10,))
            f.attrs["title"] = "bomb"


def netcdf3(folder: Path) -> None:
    def header(numrecs: int, dims: list[tuple[bytes, int]], counts: int) -> bytes:
        text = b"CDF\x01" + struct.pack(">I", numrecs) + struct.pack(">II", 10, counts)
        for name, size in dims:
            text += struct.pack(">I", len(name)) + name.ljust(4, b"\0") + struct.pack(">I", size)
        text += bytes(8)  # no attributes
        text += struct.pack(">II", 11, 1) + struct.pack(">I", 1) + b"v\0\0\0"
        text += struct.pack(">I", len(dims)) + struct.pack(f">{len(dims)}I", *range(len(dims)))
        return text + bytes(8) + struct.pack(">III", 5, MOST & ~3, 200)

    (folder / "dims.nc").write_bytes(header(0, [(b"x", MOST), (b"y", MOST)], 2))
    (folder / "records.nc").write_bytes(header(MOST, [(b"t", 0), (b"y", 3)], 2))
    (folder / "list.nc").write_bytes(header(0, [(b"x", 4)], MOST))


def tiff(folder: Path) -> None:
    """Write a directory that declares 2^31 x 2^31 pixels in tiles of 16 x 16."""
    entries = [(256, 4, 1, MOST), (257, 4, 1, MOST), (258, 3, 1, 8), (259, 3, 1, 1)]
    tiled = [*entries, (262, 3, 1, 1), (322, 4, 1, 16), (323, 4, 1, 16)]
    stripped = [*entries, (262, 3, 1, 1), (278, 4, 1, 1)]
    for name, tags, places in (("tiles", tiled, (324, 325)), ("strips", stripped, (273, 279))):
        for count in (1, MOST):
            full = sorted([*tags, *((tag, 4, count, 8) for tag in places)])
            data = b"II*\0" + struct.pack("<IH", 8, len(full))
            data += b"".join(struct.pack("<HHII", *entry) for entry in full) + bytes(4)
            (folder / f"{name}{count}.tif").write_bytes(data + bytes(100))


def fits(folder: Path) -> None:
    def block(cards: list[str]) -> bytes:
        text = "".join(card.ljust(80) for card in [*cards, "END"])
        return text.ljust(-(-len(text) // 2880) * 2880).encode()

    def card(key: str, value: Any) -> str:
        shown = value if isinstance(value, str) else f"{value:>20}"
        return f"{key:8}= {shown}"

    axes = [card("NAXIS", 3), *(card(f"NAXIS{i}", HUGE) for i in (1, 2, 3))]
    image = [card("SIMPLE", "                   T"), card("BITPIX", 8), *axes]
    (folder / "image.fits").write_bytes(block(image))
    empty = block([card("SIMPLE", "                   T"), card("BITPIX", 8), card("NAXIS", 0)])
    shape = [card("NAXIS", 2), card("NAXIS1", 1), card("NAXIS2", HUGE * 1000)]
    rest = [card("PCOUNT", 0), card("GCOUNT", 1), card("TFIELDS", 1), card("TFORM1", "'1B      '")]
    table = [card("XTENSION", "'BINTABLE'"), card("BITPIX", 8), *shape, *rest]
    (folder / "table.fits").write_bytes(empty + block(table) + bytes(2880))
    many = [line if "TFIELDS" not in line else card("TFIELDS", HUGE) for line in table]
    (folder / "fields.fits").write_bytes(empty + block(many) + bytes(2880))


def grib(folder: Path) -> None:
    """Write messages of 2^31 x 2^31 points; a good one is parsed, so that the tables are read."""
    import eccodes

    import virtualizarr

    for edition in (1, 2):
        handle = eccodes.codes_grib_new_from_samples(f"regular_ll_pl_grib{edition}")
        message = bytearray(eccodes.codes_get_message(handle))
        eccodes.codes_release(handle)
        (folder / f"data-{edition}.grib").write_bytes(message)
        virtualizarr.parse(folder / f"data-{edition}.grib", parser="grib")
        if edition == 2:
            at = 16 + int.from_bytes(message[16:20], "big")  # section 3
            for place in (6, 30, 34):
                message[at + place : at + place + 4] = struct.pack(">I", MOST)
        else:
            at = 8 + int.from_bytes(message[8:11], "big")
            message[at + 6 : at + 10] = b"\xff\xfe\xff\xfe"
        (folder / f"{edition}.grib").write_bytes(message)


def hdf4(folder: Path) -> None:
    from hdf4_files import create, open_new

    file = open_new(folder / "a.hdf")
    made = create(file, "v", np.zeros((4, 4), "u1"), shape=(1 << 15, 1 << 15))
    made.endaccess()
    file.end()
    magic = b"\x0e\x03\x13\x01"
    (folder / "dds.hdf").write_bytes(magic + struct.pack(">hI", 32767, 4) + bytes(100))


def zarr_array(**changes: Any) -> dict[str, Any]:
    grid = {"name": "regular", "configuration": {"chunk_shape": [1]}}
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [10**18],
        "data_type": "uint8",
        "chunk_grid": grid,
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [{"name": "bytes"}],
        "attributes": {},
        **changes,
    }


def zarr(folder: Path) -> None:
    def grid(*runs: Any) -> dict[str, Any]:
        configuration = {"kind": "inline", "chunk_shapes": [list(runs)]}
        return {"name": "rectilinear", "configuration": configuration}

    sharding = {"chunk_shape": [1], "codecs": [{"name": "bytes"}], "index_codecs": []}
    sharding["index_codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    shard = {"name": "sharding_indexed", "configuration": sharding}
    whole = {"name": "regular", "configuration": {"chunk_shape": [10**18]}}
    transformer = {"name": "chunk-manifest-json", "configuration": {"manifest": "./manifest.json"}}
    arrays = {
        "plain": zarr_array(),
        "runs": zarr_array(chunk_grid=grid([1, 10**18])),
        "lengths": zarr_array(chunk_grid={**grid(), "configuration": {"chunk_shapes": [1]}}),
        "shard": zarr_array(codecs=[shard], chunk_grid=whole),
        "nested": zarr_array(attributes=json.loads("[" * 500 + "]" * 500)),
        "dims": zarr_array(shape=[10**18] * 200),
        "manifest": zarr_array(storage_transformers=[transformer]),
    }
    for name, document in arrays.items():
        store = folder / f"{name}.zarr"
        (store / "v" / "c").mkdir(parents=True)
        (store / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
        (store / "v" / "zarr.json").write_text(json.dumps(document))
        (store / "v" / "c" / "0").write_bytes(bytes(16))
        chunks = {"0": {"path": "./c/0", "offset": 0, "length": 1}}
        (store / "v" / "manifest.json").write_text(json.dumps(chunks))


def kerchunk_document(**more: Any) -> dict[str, Any]:
    array = {"zarr_format": 2, "shape": [10**18], "chunks": [1], "dtype": "|u1", "order": "C"}
    array |= {"compressor": None, "filters": None, "fill_value": None}
    refs = {".zgroup": '{"zarr_format": 2}', "v/.zarray": json.dumps(array)}
    return {"version": 1, "refs": {**refs, "v/0": ["s3://b/f", 0, 1]}, **more}


def kerchunk(folder: Path) -> None:
    gen = {"key": "v/{{i}}", "url": "s3://b/f", "offset": "{{i}}", "length": "1"}
    laughs = {f"t{i}": f"{{{{t{i - 1}}}}}" * 10 for i in range(1, 10)} | {"t0": "ha" * 10}
    power = {**gen, "offset": "{{9**9**9}}", "dimensions": {"i": {"stop": 2}}}
    cases = {
        "grid": kerchunk_document(),
        "gen": kerchunk_document(gen=[{**gen, "dimensions": {"i": {"stop": 10**12}}}]),
        "square": kerchunk_document(
            gen=[{**gen, "dimensions": {"i": {"stop": 10**6}, "j": {"stop": 10**6}}}]
        ),
        "power": kerchunk_document(gen=[power]),
        "laughs": kerchunk_document(templates=laughs, gen=[]),
    }
    cases["laughs"]["refs"]["v/0"] = ["{{t9}}", 0, 1]
    for name, document in cases.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    (folder / "deep.json").write_text('{"version": 1, "refs": ' + "[" * 100_000 + "]" * 100_000)


def kerchunk_parquet(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for record_size in (1, 10**12):
        store = folder / f"{record_size}.parquet"
        (store / "v").mkdir(parents=True)
        refs = kerchunk_document()["refs"]
        metadata = {key: json.loads(refs[key]) for key in (".zgroup", "v/.zarray")}
        text = json.dumps({"metadata": metadata, "record_size": record_size})
        (store / ".zmetadata").write_text(text)
        count = min(record_size, 1_000_000)
        columns = {
            "path": pa.array(["s3://b/f"] * count),
            "offset": pa.array(np.zeros(count, np.int64)),
            "size": pa.array(np.zeros(count, np.int64)),
            "raw": pa.nulls(count, pa.binary()),
        }
        pq.write_table(pa.table(columns), store / "v" / "refs.0.parq")


def icechunk(folder: Path) -> None:
    """Write a repository whose files decompress to 1 GB."""
    import shutil

    from numcodecs import zstd

    from fuzzing.reference_seeds import icechunk_repository
    from virtualizarr.parsers.icechunk.files import HEADER

    icechunk_repository(folder)
    shutil.rmtree(folder / "plain.icechunk")
    seed = (folder / "repo.icechunk").rename(folder / "data-seed")
    bomb = zstd.compress(bytes(1 << 30), 1)
    for kind in ("snapshots", "manifests", "repo"):
        store = folder / f"{kind}.icechunk"
        shutil.copytree(seed, store)
        files = [p for p in store.rglob("*") if p.is_file() and kind in str(p.relative_to(store))]
        for path in files:
            path.write_bytes(path.read_bytes()[:HEADER] + bomb)


def text_file(name: str, text: str, **beside: bytes) -> Bomb:
    """Return a bomb of one text file, with small files beside it, named by their endings."""

    def write(folder: Path) -> None:
        home = folder / "set"
        home.mkdir()
        (home / name).write_text(text)
        for ending, data in beside.items():
            (home / f"{Path(name).stem}.{ending}").write_bytes(data)
        (home / name).rename(folder / name)
        for path in home.iterdir():
            path.rename(folder / f"data-{path.name}")
        home.rmdir()

    return write


def nifti(folder: Path) -> None:
    header = bytearray(352)
    header[:4] = struct.pack("<i", 348)
    header[40:56] = struct.pack("<8h", 7, *[32767] * 7)
    header[70:74] = struct.pack("<hh", 64, 64)
    header[108:112] = struct.pack("<f", 352)
    header[344:348] = b"n+1\0"
    (folder / "a.nii").write_bytes(header + bytes(100))


def npy(folder: Path) -> None:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({HUGE}, {HUGE}), }}".ljust(117)
    (folder / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.encode())
    with (folder / "a.npy").open("ab") as file:
        file.write(b"\n" + bytes(64))


def jpeg2000(folder: Path) -> None:
    """Write the header of an image of 2^31 x 2^31 tiles of one sample."""
    siz = struct.pack(">H8IH", 0, MOST, MOST, 0, 0, 1, 1, 0, 0, 1) + bytes([7, 1, 1])
    code = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz + b"\xff\x93"
    (folder / "a.j2k").write_bytes(code + bytes(100))


BOMBS: Mapping[str, Bomb] = {
    "dmrpp": text_file(
        "a.dmrpp",
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
        '<Dataset xmlns="http://xml.opendap.org/ns/DAP/4.0#" '
        'xmlns:dmrpp="http://xml.opendap.org/dap/dmrpp/1.0.0#" name="a" dmrpp:href="a">'
        f'<Dimension name="x" size="{10**18}"/><Byte name="v"><Dim name="/x"/><dmrpp:chunks>'
        "<dmrpp:chunkDimensionSizes>1</dmrpp:chunkDimensionSizes>"
        '<dmrpp:chunk offset="0" nBytes="1" chunkPositionInArray="[0]"/>'
        "</dmrpp:chunks></Byte></Dataset>",
    ),
    "ehdr": text_file("a.hdr", f"nrows {HUGE}\nncols {HUGE}\nnbands {HUGE}\nnbits 8\nlayout bil\n"),
    "envi": text_file(
        "b.hdr", f"ENVI\nsamples = {HUGE}\nlines = {HUGE}\nbands = {HUGE}\ndata type = 1\n"
    ),
    "fits": fits,
    "grib": grib,
    "hdf4": hdf4,
    "hdf5": hdf5,
    "icechunk": icechunk,
    "isis3": text_file(
        "a.cub",
        "Object = IsisCube\n Object = Core\n StartByte = 1\n Format = Tile\n TileSamples = 1\n"
        f" TileLines = 1\n Group = Dimensions\n Samples = {HUGE}\n Lines = {HUGE}\n Bands = 1\n"
        " End_Group\n Group = Pixels\n Type = Real\n ByteOrder = Lsb\n End_Group\n End_Object\n"
        "End_Object\nEnd\n",
    ),
    "jpeg2000": jpeg2000,
    "kerchunk": kerchunk,
    "kerchunk_parquet": kerchunk_parquet,
    "netcdf3": netcdf3,
    "nifti": nifti,
    "npy": npy,
    "pds3": text_file(
        "a.lbl",
        f"PDS_VERSION_ID = PDS3\r\nRECORD_BYTES = {HUGE}\r\n^IMAGE = 2\r\nOBJECT = IMAGE\r\n"
        f" LINES = {HUGE}\r\n LINE_SAMPLES = {HUGE}\r\n SAMPLE_BITS = 8\r\nEND_OBJECT\r\nEND\r\n",
    ),
    "pds4": text_file(
        "a.xml",
        '<?xml version="1.0"?><Product_Observational xmlns="http://pds.nasa.gov/pds4/pds/v1">'
        "<File_Area_Observational><File><file_name>a.dat</file_name></File><Array_2D_Image>"
        '<offset unit="byte">0</offset><axes>2</axes><Element_Array><data_type>UnsignedByte'
        "</data_type></Element_Array><Axis_Array><axis_name>Line</axis_name>"
        f"<elements>{HUGE}</elements><sequence_number>1</sequence_number></Axis_Array><Axis_Array>"
        f"<axis_name>Sample</axis_name><elements>{HUGE}</elements><sequence_number>2"
        "</sequence_number></Axis_Array></Array_2D_Image></File_Area_Observational>"
        "</Product_Observational>",
    ),
    "roipac": text_file("a.int.rsc", f"WIDTH {HUGE}\nFILE_LENGTH {HUGE}\n"),
    "safe": text_file("manifest.safe", '<?xml version="1.0"?><xfdu:XFDU xmlns:xfdu="x"/>'),
    "tiff": tiff,
    "vicar": text_file(
        "a.vic", f"LBLSIZE={MOST}  FORMAT='BYTE'  NL={HUGE} NS={HUGE} NB={HUGE} RECSIZE={HUGE} "
    ),
    "zarr": zarr,
}
"""How the bombs of each parser are made. Some are of formats that come later, or from elsewhere."""


def main(folder: Path) -> None:
    from fuzzing.examine import outcome

    results: dict[str, dict[str, Any]] = {}
    for point in sorted(entry_points(group="virtualizarr.parsers")):
        if point.name not in BOMBS:
            continue
        home = folder / point.name
        home.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            BOMBS[point.name](home)
        for path in sorted(home.iterdir()):
            if path.name.startswith("data-"):
                continue
            files = [one for one in (path, *path.rglob("*")) if one.is_file()]
            size = sum(one.stat().st_size for one in files)
            event = examined(path, point.name, FREE_BYTES + BYTES_PER_BYTE * size, outcome)
            results[f"{point.name} {path.name}"] = {**event, "size": size}
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""DMR++ documents for tests, made of HDF5 files: where h5py finds chunks is what they say.

Written as Hyrax writes them, but for what tests ask to be otherwise.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import h5py
import numpy as np

DAP4 = "http://xml.opendap.org/ns/DAP/4.0#"
DMRPP = "http://xml.opendap.org/dap/dmrpp/1.0.0#"
TYPES = {
    **{
        f"{kind}{size}": f"{name}{8 * size}"
        for kind, name in (("i", "Int"), ("u", "UInt"))
        for size in (1, 2, 4, 8)
    },
    "f4": "Float32",
    "f8": "Float64",
    "b1": "Int8",
}
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf", 32015: "zstd"}
PADS = {
    h5py.h5t.STR_NULLTERM: "null_term",
    h5py.h5t.STR_NULLPAD: "null_pad",
    h5py.h5t.STR_SPACEPAD: "space_pad",
}


def document(
    body: str, *, href: str | None, version: str | None = "3.21.1", name: str = "x"
) -> str:
    """Return a document around `body`."""
    said = "" if href is None else f" dmrpp:href={quoteattr(href)}"
    said += "" if version is None else f' dmrpp:version="{version}"'
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
        f'<Dataset xmlns="{DAP4}" xmlns:dmrpp="{DMRPP}" dapVersion="4.0" dmrVersion="1.0"'
        f" name={quoteattr(name)}{said}>\n{body}\n</Dataset>"
    )


def write_document(path: Path, **options: Any) -> Path:
    """Write the document of the HDF5 file at `path` beside it; return where."""
    options.setdefault("href", "OPeNDAP_DMRpp_DATA_ACCESS_URL")
    with h5py.File(path) as file:
        text = document(group_body(file), name=path.name, **options)
    target = path.with_name(f"{path.name}.dmrpp")
    target.write_bytes(text.encode("ascii", "xmlcharrefreplace"))
    return target


def group_body(group: h5py.Group) -> str:
    """Return what stands in the element of a group."""
    members = [group[name] for name in group]
    datasets = [each for each in members if isinstance(each, h5py.Dataset)]
    parts = [
        f'<Dimension name={quoteattr(leaf(each.name))} size="{each.shape[0]}"/>'
        for each in datasets
        if each.is_scale
    ]
    parts += [enumeration(each) for each in datasets if constants_of(each.dtype) is not None]
    parts += [variable(each) for each in datasets]
    parts += [
        f"<Group name={quoteattr(leaf(each.name))}>{group_body(each)}</Group>"
        for each in members
        if isinstance(each, h5py.Group)
    ]
    return "\n".join([*parts, attributes(group.attrs)])


def leaf(path: str) -> str:
    return path.rpartition("/")[2]


def attributes(given: Mapping[str, Any]) -> str:
    reserved = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"}
    return "".join(attribute(name, given[name]) for name in given if name not in reserved)


def attribute(name: str, value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str):
        kind, texts = "String", [value]
    else:
        values = np.atleast_1d(value)
        kind = TYPES.get(values.dtype.str[1:], "String")
        texts = [repr(each) if isinstance(each, float) else str(each) for each in values.tolist()]
    inner = "".join(f"<Value>{escape(text)}</Value>" for text in texts)
    return f'<Attribute name={quoteattr(name)} type="{kind}">{inner}</Attribute>'


def constants_of(dtype: np.dtype[Any]) -> Mapping[str, int] | None:
    """Return the constants of an enumeration, those of a boolean too; None for other types."""
    if dtype.kind == "b":
        return {"FALSE": 0, "TRUE": 1}
    found: Mapping[str, int] | None = h5py.check_enum_dtype(dtype)
    return found


def enumeration(dataset: h5py.Dataset) -> str:
    names = constants_of(dataset.dtype)
    assert names is not None
    constants = "".join(
        f'<EnumConst name="{key}" value="{value}"/>' for key, value in names.items()
    )
    kind = TYPES[dataset.dtype.str[1:]]
    return (
        f'<Enumeration name="of_{leaf(dataset.name)}" basetype="{kind}">{constants}</Enumeration>'
    )


def variable(dataset: h5py.Dataset) -> str:
    """Return the element of a dataset."""
    kind, inner = described(dataset)
    dims = "".join(map(dim, range(len(dataset.shape)), [dataset] * len(dataset.shape)))
    name = quoteattr(leaf(dataset.name))
    rest = f"{inner}{dims}{attributes(dataset.attrs)}{storage(dataset)}"
    return f"<{kind} name={name}{rest}</{kind}>"


def described(dataset: h5py.Dataset) -> tuple[str, str]:
    """Return the name of a variable's element, and the rest of its tag with its members."""
    dtype = dataset.dtype
    if constants_of(dtype) is not None:
        return "Enum", f' enum="{dataset.parent.name.rstrip("/")}/of_{leaf(dataset.name)}">'
    if dtype.names is not None:
        return "Structure", ">" + "".join(member(name, dtype[name]) for name in dtype.names)
    return scalar_type(dtype), ">"


def scalar_type(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "SO":
        return "String"
    return "Opaque" if dtype.kind == "V" else TYPES[dtype.str[1:]]


def member(name: str, dtype: np.dtype[Any]) -> str:
    base, shape = (dtype.base, dtype.shape)
    kind = scalar_type(base)
    dims = "".join(f'<Dim size="{size}"/>' for size in shape)
    return f"<{kind} name={quoteattr(name)}>{dims}</{kind}>"


def dim(axis: int, dataset: h5py.Dataset) -> str:
    if dataset.is_scale:
        return f"<Dim name={quoteattr(dataset.name)}/>"
    scales = dataset.dims[axis]
    if len(scales):
        return f"<Dim name={quoteattr(scales[0].name)}/>"
    return f'<Dim size="{dataset.shape[axis]}"/>'


def storage(dataset: h5py.Dataset) -> str:
    """Return the elements of DMR++ of a dataset."""
    dtype, properties = dataset.dtype, dataset.id.get_create_plist()
    if h5py.check_string_dtype(dtype) is not None and dtype.kind == "O":
        return long_texts(dataset)
    if dtype.names is not None and any(dtype[name].base.kind in "SO" for name in dtype.names):
        return special(dataset)
    extra = fixed_strings(dataset) if dtype.kind == "S" and dataset.shape else ""
    if properties.get_layout() == h5py.h5d.COMPACT:
        stored = dataset[()].astype(dtype.newbyteorder("<"))
        return (
            f"<dmrpp:compact>{base64.b64encode(stored.tobytes()).decode()}</dmrpp:compact>{extra}"
        )
    return chunks(dataset) + extra


def fixed_strings(dataset: h5py.Dataset) -> str:
    pad = PADS[dataset.id.get_type().get_strpad()]
    return f'<dmrpp:FixedLengthStringArray string_length="{dataset.dtype.itemsize}" pad="{pad}"/>'


def chunks(dataset: h5py.Dataset) -> str:
    """Return `dmrpp:chunks` of a contiguous or chunked dataset."""
    properties, dtype = dataset.id.get_create_plist(), dataset.dtype
    said = {"fillValue": fill(dataset)}
    if dtype.str[0] in "<>" or dtype.names is not None:
        big = dtype.str[0] == ">" or any(dtype[n].base.str[0] == ">" for n in dtype.names or ())
        said["byteOrder"] = "BE" if big else "LE"
    filters = [properties.get_filter(at) for at in range(properties.get_nfilters())]
    if filters:
        said["compressionType"] = " ".join(FILTERS[number] for number, *_ in filters)
        said["deflateLevel"] = " ".join(
            str(values[0]) for number, _, values, _ in filters if number == 1
        )
    if dtype.names is not None:
        offsets = [dtype.fields[name][1] for name in dtype.names]
        said["structOffset"] = " ".join(map(str, [*offsets[1:], dtype.itemsize]))
    tag = "".join(f" {key}={quoteattr(value)}" for key, value in said.items() if value is not None)
    if dataset.chunks is None:
        where = dataset.id.get_offset()
        size = dataset.id.get_storage_size()
        row = "" if where is None else f'<dmrpp:chunk offset="{where}" nBytes="{size}"/>'
        return f"<dmrpp:chunks{tag}>{row}</dmrpp:chunks>"
    sizes = " ".join(map(str, dataset.chunks))
    rows = []
    for at in range(dataset.id.get_num_chunks()):
        info = dataset.id.get_chunk_info(at)
        mask = f' fm="{info.filter_mask}"' if info.filter_mask else ""
        place = ",".join(map(str, info.chunk_offset))
        rows.append(
            f'<dmrpp:chunk offset="{info.byte_offset}" nBytes="{info.size}"'
            f' chunkPositionInArray="[{place}]"{mask}/>'
        )
    inner = f"<dmrpp:chunkDimensionSizes>{sizes}</dmrpp:chunkDimensionSizes>{''.join(rows)}"
    return f"<dmrpp:chunks{tag}>{inner}</dmrpp:chunks>"


def fill(dataset: h5py.Dataset) -> str | None:
    """Return the fill value as Hyrax writes it: six digits, bytes in the order of the file."""
    dtype = dataset.dtype
    if dtype.kind == "V" and dtype.names is None:
        return None
    value = np.zeros((), dtype)
    dataset.id.get_create_plist().get_fill_value(value)
    if dtype.names is not None:
        flat = [each for name in dtype.names for each in np.atleast_1d(value[name]).ravel()]
        return " ".join(map(number, flat)) if any(flat) else "0"
    if dtype.kind == "S":
        return value[()].decode("latin-1")
    return number(value[()].view(dtype.newbyteorder("<")) if dtype.str[0] == ">" else value[()])


def number(value: Any) -> str:
    return f"{float(value):.6g}" if value.dtype.kind == "f" else str(int(value))


def long_texts(dataset: h5py.Dataset) -> str:
    """Return strings of variable length: compact for one, else each with its repetitions."""
    texts = [each.decode() for each in np.atleast_1d(dataset[()]).ravel().tolist()]
    if not dataset.shape:
        return f"<dmrpp:compact>{base64.b64encode(texts[0].encode()).decode()}</dmrpp:compact>"
    runs: list[list[Any]] = []
    for text in texts:
        if runs and runs[-1][0] == text:
            runs[-1][1] += 1
        else:
            runs.append([text, 1])
    return f"<dmrpp:vlsa>{''.join(long_text(*run) for run in runs)}</dmrpp:vlsa>"


def long_text(text: str, times: int) -> str:
    said = "" if times == 1 else f' c="{times}"'
    data = text.encode()
    if len(data) > 300:
        packed = base64.b64encode(zlib.compress(data)).decode()
        return f'<v{said} s="{len(data)}">{packed}</v>'
    return f"<v{said}>{escape(text)}</v>"


def special(dataset: h5py.Dataset) -> str:
    """Return a Structure with texts, element by element."""
    data = b""
    for element in np.atleast_1d(dataset[()]).ravel():
        for name in dataset.dtype.names:
            base = dataset.dtype[name].base
            for value in np.atleast_1d(element[name]).ravel():
                if base.kind in "SO":
                    text = value if isinstance(value, bytes) else value.encode()
                    padded = text.ljust(base.itemsize, b"\0") if base.kind == "S" else text
                    data += base64.b64encode(padded) + b";"
                else:
                    data += np.asarray(value, base.newbyteorder("<")).tobytes()
    inner = base64.b64encode(data).decode()
    return (
        f'<dmrpp:chunks fillValue="0"/><dmrpp:specialstructuredata>{inner}'
        "</dmrpp:specialstructuredata>"
    )


def values_of(path: Path) -> dict[str, Any]:
    """Return every value of an HDF5 file as h5py reads it, by path.

    Compounds that Zarr cannot hold are taken apart into their members.
    """
    found: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        if not isinstance(node, h5py.Dataset):
            return
        value, names = node[()], node.dtype.names
        apart = names is not None and any(
            node.dtype[each].shape or node.dtype[each].base.kind in "SO" for each in names
        )
        for each in names if apart else ():
            found[f"{name}/{each}"] = value[each]
        if not apart:
            found[name] = value

    with h5py.File(path) as file:
        file.visititems(visit)
    return found

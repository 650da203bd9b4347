"""From elements to groups and variables.

Specifications: DAP4 volume 1 (the DMR), and Hyrax's description of the DMR++ namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.dmrpp.attributes import BOOKKEEPING, NUMBERS, decode_attributes
from virtualizarr.parsers.dmrpp.layout import Dataset, Dim, Enumeration, Group, Variable
from virtualizarr.parsers.dmrpp.pieces import naturals
from virtualizarr.parsers.dmrpp.refusals import Refusals
from virtualizarr.parsers.dmrpp.storage import decode_storage
from virtualizarr.parsers.dmrpp.xml import Element, read_xml

TEXTS = frozenset({"String", "URL", "URI", "Url"})
SCALARS = frozenset(
    {
        *("Byte", "Char", "Int8", "UInt8", "Int16", "UInt16", "Int32", "UInt32"),
        *("Int64", "UInt64", "Float32", "Float64", "Enum", "Opaque", *TEXTS),
    }
)
VARIABLES = SCALARS | {"Structure", "Sequence"}
MEMBERS = VARIABLES | {"Group"}
IN_GROUP = frozenset({"Attribute", "Dimension", "Enumeration", "Group", "Namespace"})
IN_VARIABLE = frozenset({"Attribute", "Dim", "Map", "Namespace"})
MAX_AXES = 64  # of a numpy array
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean in a group: the shared dimensions and enumerations declared so far, by path.

    `versioned` is whether the document has a `dmrpp:version`; `dropped` holds names and paths of
    variables and groups that are left out, `refusals` says what becomes of those that must be.
    """

    path: str
    dropped: frozenset[str]
    refusals: Refusals
    versioned: bool
    dimensions: dict[str, int] = field(default_factory=dict)
    enumerations: dict[str, Enumeration] = field(default_factory=dict)

    def within(self, name: str) -> Scope:
        """Return the scope of a group in this one."""
        return replace(self, path=joined(self.path, name))

    def drops(self, name: str) -> bool:
        """Say whether what is called `name` in this group is left out."""
        return name in self.dropped or joined(self.path, name)[1:] in self.dropped

    def find[T](self, name: str, known: Mapping[str, T]) -> tuple[str, T] | None:
        """Return the path and the meaning of a name: a path, or one of this group or above it."""
        if name.startswith("/"):
            return (name, known[name]) if name in known else None
        path = self.path
        while True:
            whole = joined(path, name)
            if whole in known:
                return whole, known[whole]
            if path == "/":
                return None
            path = path.rpartition("/")[0] or "/"


def joined(path: str, name: str) -> str:
    """Return the path of what is called `name` in the group at `path`."""
    return f"/{name}" if path == "/" else f"{path}/{name}"


def decode_document(document: bytes, dropped: Collection[str], refusals: Refusals) -> Dataset:
    """Return what a DMR++ document says, without the variables and groups called `dropped`.

    Raises CorruptFileError and UnsupportedFeatureError naming the group or variable.
    """
    root = read_xml(document)
    if root.name != "Dataset":
        raise CorruptFileError(f"the root element is {root.name!r}, not 'Dataset'")
    names = frozenset(name.strip("/") for name in dropped)
    scope = Scope("/", names, refusals, versioned="version" in root.attributes)
    _declare(root, scope)
    href = root.attributes.get("href")
    name = root.attributes.get("name", "")
    return Dataset(_group(root, scope), href if href else None, name, len(document))


def _group(element: Element, scope: Scope) -> Group:
    try:
        variables: dict[str, Variable] = {}
        groups: dict[str, Group] = {}
        attributes = decode_attributes(element)
        for child in element.children:
            if child.name in MEMBERS and scope.drops(child.required("name")):
                continue
            if child.name == "Group":
                name = _name(child)
                _taken(child, name, variables, groups)
                groups[name] = _group(child, scope.within(name))
            elif child.name in VARIABLES:
                name = _name(child)
                _taken(child, name, variables, groups)
                _add_variable(child, name, scope, variables)
            elif child.name not in IN_GROUP:
                _note(child, attributes)
        return Group(scope.path, variables, groups, attributes)
    except VirtualizeError as error:
        raise error.located(node=scope.path, at=element.at) from error.__cause__


def _add_variable(
    element: Element, name: str, scope: Scope, variables: dict[str, Variable]
) -> None:
    path = joined(scope.path, name)
    try:
        variables[name] = _variable(element, scope, path)
    except VirtualizeError as error:
        scope.refusals.meet(error, path, element.at)


def _declare(element: Element, scope: Scope) -> None:
    """Take down what a group and all below it declare: variables may use what comes later."""
    for child in element.children:
        if child.name == "Dimension":
            path = joined(scope.path, child.required("name"))
            (size,) = naturals([child.required("size")], "the size of a dimension").tolist()
            if scope.dimensions.setdefault(path, size) != size:
                raise child.corrupt(f"two dimensions are called {path!r}")
        elif child.name == "Enumeration":
            path = joined(scope.path, child.required("name"))
            scope.enumerations[path] = _enumeration(child)
        elif child.name == "Group":
            _declare(child, scope.within(child.required("name")))


def _enumeration(element: Element) -> Enumeration:
    basetype = element.required("basetype")
    dtype = NUMBERS.get(basetype.lower())
    if dtype is None or dtype.kind == "f":
        raise element.corrupt(f"its base type is {basetype!r}")
    constants = [child for child in element.children if child.name == "EnumConst"]
    values = []
    for constant in constants:
        try:
            values.append(int(constant.required("value")))
        except ValueError as error:
            raise constant.corrupt("its value is no integer") from error
    names = tuple(constant.required("name") for constant in constants)
    return Enumeration(basetype, names, tuple(values))


def _name(element: Element) -> str:
    name = element.required("name")
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UnsupportedFeatureError(
            f"{element.name} called {name!r}: Zarr has no such names", at=element.at
        )
    return name


def _taken(child: Element, name: str, *known: Mapping[str, object]) -> None:
    if any(name in each for each in known):
        raise child.corrupt(f"there are two called {name!r}")


def _note(child: Element, attributes: dict[str, object]) -> None:
    """Keep an element that only carries text as an attribute; UnsupportedFeatureError if not."""
    if child.children or child.rows or child.values:
        raise UnsupportedFeatureError(f"has an element {child.name}, which is not known")
    if child.name not in BOOKKEEPING and child.text.strip():
        attributes.setdefault(child.name, child.text)


def _variable(element: Element, scope: Scope, path: str) -> Variable:
    for child in element.children:
        known = child.name in IN_VARIABLE or child.extension
        if not known and not (element.name == "Structure" and child.name in VARIABLES):
            raise UnsupportedFeatureError(f"has an element {child.name}, which is not known")
    dims = tuple(_dim(child, scope) for child in element.children if child.name == "Dim")
    if len(dims) > MAX_AXES:
        raise UnsupportedFeatureError(f"has {len(dims)} axes")
    members = [
        _variable(child, scope, f"{path}.{_name(child)}")
        for child in element.children
        if child.name in VARIABLES
    ]
    if len({member.name for member in members}) < len(members):
        raise element.corrupt("two members have one name")
    maps = [child.required("name") for child in element.children if child.name == "Map"]
    return Variable(
        path,
        element.attributes["name"],
        element.name,
        dims,
        _enumeration_of(element, scope) if element.name == "Enum" else None,
        tuple(name if name.startswith("/") else joined(scope.path, name) for name in maps),
        decode_attributes(element),
        tuple(members),
        decode_storage(element, len(dims), scope.versioned),
        element.at,
    )


def _dim(element: Element, scope: Scope) -> Dim:
    name = element.attributes.get("name")
    if name is None:
        (size,) = naturals([element.required("size")], "the size of an axis").tolist()
        return Dim(None, size)
    found = scope.find(name, scope.dimensions)
    if found is None:
        raise element.corrupt(f"there is no dimension {name!r}")
    return Dim(*found)


def _enumeration_of(element: Element, scope: Scope) -> Enumeration:
    name = element.required("enum")
    found = scope.find(name, scope.enumerations)
    if found is None:
        raise element.corrupt(f"there is no enumeration {name!r}")
    return found[1]

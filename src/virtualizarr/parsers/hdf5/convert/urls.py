"""Names of other files, as an HDF5 file holds them, made into URLs."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import quote

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://[^/?#]*)(/[^?]*)?(.*)", re.DOTALL)
_PATH_SAFE = "/!$&'()*+,;=:@~"


def beside(url: str, name: str) -> str:
    """Return the URL of the file that the file at `url` calls `name`.

    A relative name is looked for beside the file (`.` and `..` resolved), an absolute one under the
    same scheme and host. Percent signs and the like in `name` are part of it.
    """
    match = _URL.fullmatch(url)
    root, path = (match[1], match[2] or "/") if match is not None else ("", url)
    encoded = quote(name, safe=_PATH_SAFE, errors="surrogateescape") if match is not None else name
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), encoded))
    return root + re.sub("^/+", "/", joined)

"""The command line: verbs that call the public functions and print what they return.

`app` gathers the verbs, of which each has its module; `describe` turns results into plain data,
`show` draws them on a terminal.
"""

from virtualizarr.cli.app import main

__all__ = ["main"]

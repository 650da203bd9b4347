"""`python -m virtualizarr`: the command line."""

from virtualizarr.cli import main

if __name__ == "__main__":
    main()

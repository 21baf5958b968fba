"""The command line: thin commands over the library, one file each."""

from sweeps.cli.app import main

__all__ = ["main"]

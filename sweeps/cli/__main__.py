"""`python -m sweeps.cli` is `sweeps`."""

from sweeps.cli.app import main

main()

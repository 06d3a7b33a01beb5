"""`python -m mien` is the `mien` command."""

from mien.cli.start import run

run()

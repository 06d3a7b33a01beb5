"""What the training tools share on the command line: values that make sense, and sentences instead of tracebacks."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence

import torch

from mien.cli.start import INTERRUPTED
from mien.errors import MienError


def minutes(text: str) -> float:
    """A number of minutes above 0, for argparse."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of minutes above 0, got {text}")
    return number


def changes_of(parser: argparse.ArgumentParser, texts: Sequence[str]) -> dict[str, str]:
    """The changes to recipes that `--set KEY=VALUE` names; ends the program where one is not written so."""
    for text in texts:
        if "=" not in text:
            parser.error(f"argument --set: must be KEY=VALUE, got {text}")
    return dict(text.split("=", 1) for text in texts)


def check_device(parser: argparse.ArgumentParser, device: str) -> None:
    """End the program where an accelerator is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("argument --device: torch finds no accelerator here; use --device cpu")


def run_tool(main: Callable[[], None]) -> None:
    """Carry a program out; what went wrong is one sentence on stderr."""
    try:
        main()
    except MienError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the same call goes on where a run has finished an epoch.\n")
        raise SystemExit(INTERRUPTED) from None

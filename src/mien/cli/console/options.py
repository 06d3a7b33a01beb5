"""Options that several verbs have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from mien.errors import InputError

ProviderOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What computes: cpu, cuda, coreml, dml, or another execution provider of ONNX Runtime; `mien doctor` "
        "lists those here.",
    ),
]

GesturesOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="The only gestures to answer with, such as loser,punch,super,victory; others count as none. [default: all "
        "that the model knows]",
    ),
]


def gesture_names(text: str | None) -> tuple[str, ...] | None:
    """The gestures of --gestures; None for all.

    Raises:
        InputError: there is no name in it.
    """
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InputError("--gestures needs the names of one gesture or more, separated by commas.")
    return names


def size_hw(text: str) -> tuple[int, int]:
    """Height and width in pixels of a size that is written as 640x480, width first.

    Raises:
        InputError: it is not written so, or not from 16 to 8192.
    """
    width, sign, height = text.lower().partition("x")
    if not sign or not (width.isdecimal() and height.isdecimal()):
        raise InputError(f"A size must be WIDTHxHEIGHT, each from 16 to 8192, e.g. 640x480, not {text!r}.")
    if not all(16 <= side <= 8192 for side in (int(width), int(height))):
        raise InputError(f"A size must be WIDTHxHEIGHT, each from 16 to 8192, e.g. 640x480, not {text!r}.")
    return int(height), int(width)

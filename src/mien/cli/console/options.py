"""Options that several verbs have."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from mien.errors import InputError, InvalidOption
from mien.sources import Selection
from mien.wording import visible

ProviderOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where to compute: cpu, cuda, coreml, dml, or another execution provider of ONNX Runtime; `mien doctor` "
        "lists those here.",
    ),
]

EveryOption: TypeAlias = Annotated[int, typer.Option(min=1, help="Look at every N-th frame of a video.")]

FpsOption: TypeAlias = Annotated[
    float | None, typer.Option(min=0.001, help="Look at this many frames per second of a video.")
]

FromOption: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Begin a video here: seconds, or H:MM:SS.mmm.")
]

ToOption: TypeAlias = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End a video before this time.")]

KeyframesOption: TypeAlias = Annotated[
    bool, typer.Option("--keyframes", help="Look only at frames that a video stores whole: hours take minutes.")
]

TilesOption: TypeAlias = Annotated[
    bool, typer.Option("--tiles", help="Also find small and distant faces and hands; slower.")
]

MaxPixelsOption: TypeAlias = Annotated[
    int, typer.Option(min=1, metavar="N", help="Refuse a larger photo before it is decoded.")
]

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)")


def time_s(text: str) -> float:
    """Seconds of a time that is written as 95, 95.5, 1:35.5 or 0:01:35.500.

    Raises:
        InvalidOption: it is not written so.
    """
    found = _TIME.fullmatch(text.strip())
    hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, math.nan)
    if not math.isfinite(seconds) or (":" in text and seconds >= 60) or (text.count(":") == 2 and minutes >= 60):
        raise InvalidOption(f"A time must be seconds or H:MM:SS.mmm, e.g. 95.5 or 0:01:35.500, not {text[:40]!r}.")
    return hours * 3600 + minutes * 60 + seconds


def print_note(sentence: object) -> None:
    """Tell, on stderr, a problem or what is worth knowing."""
    sys.stderr.write(f"mien: {visible(str(sentence))}\n")


CsvBomOption: TypeAlias = Annotated[
    bool, typer.Option("--csv-bom", help="Begin CSV files with a byte order mark, so that Excel recognizes UTF-8.")
]

LargeTextOption: TypeAlias = Annotated[
    bool,
    typer.Option("--large-text", help="Labels and captions that can be read from three metres."),
]

_LARGE = 2.0


def text_scale(large: bool) -> float:
    """How much larger labels on pictures are with --large-text."""
    return _LARGE if large else 1.0


DetailOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="low|normal|high", help="How closely to search for faces: low is fast, high finds the farthest."
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

BaselineOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Photo of the person with a neutral face: expressions are read as changes from it."),
]


def gesture_names(text: str | None) -> tuple[str, ...] | None:
    """The gestures of --gestures; None for all.

    Raises:
        InvalidOption: there is no name in it.
    """
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InvalidOption("--gestures needs the names of one gesture or more, separated by commas.")
    return names


def chosen_frames(*, every: int, fps: float | None, start: str | None, end: str | None, keyframes: bool) -> Selection:
    """The frames that --every, --fps, --from, --to and --keyframes ask for.

    Raises:
        BadParameter: a time is not written as one, or they contradict each other.
    """
    try:
        return Selection(
            every=every,
            fps=fps,
            start_s=0.0 if start is None else time_s(start),
            end_s=None if end is None else time_s(end),
            keyframes=keyframes,
        )
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def size_hw(text: str) -> tuple[int, int]:
    """Height and width in pixels of a size that is written as 640x480, width first.

    Raises:
        InvalidOption: it is not written so, or not from 16 to 8192.
    """
    width, sign, height = text.lower().partition("x")
    if not sign or not (width.isdecimal() and height.isdecimal()):
        raise InvalidOption(f"A size must be WIDTHxHEIGHT, each from 16 to 8192, e.g. 640x480, not {text!r}.")
    if not all(16 <= side <= 8192 for side in (int(width), int(height))):
        raise InvalidOption(f"A size must be WIDTHxHEIGHT, each from 16 to 8192, e.g. 640x480, not {text!r}.")
    return int(height), int(width)

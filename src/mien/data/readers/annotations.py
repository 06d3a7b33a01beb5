"""Annotations of the frames of a video: labels, boxes and points, one line or one file per frame."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from mien.errors import DataError
from mien.pixels.images import read_error
from mien.scene import Box, Point

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_NOT_ANNOTATED = ("-1", "")
_POINTS = 68
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)  # of the person, in the 68 points of iBUG 300-W


def read_labels(path: Path) -> tuple[str, ...]:
    """The class name of each frame, an empty text where there is none.

    The file has one line per frame. Either each is a name (`happy`), or the first line names the classes, separated by
    commas as in Aff-Wild2, and the others are numbers from 0; -1 or nothing means that a frame is not annotated.

    Raises:
        UnreadableMedia: the file cannot be read.
        DataError: it is empty, has valence and arousal or action units, or a line (named) is none of the above.
    """
    lines = [line.strip() for line in _text(path).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty; it needs one label per frame")
    classes = [word.strip() for word in lines[0].split(",")]
    _check_kind(path, classes, lines)
    if len(classes) == 1:
        return tuple("" if line in _NOT_ANNOTATED else line for line in lines)
    numbers = {str(i): name for i, name in enumerate(classes)} | dict.fromkeys(_NOT_ANNOTATED, "")
    for number, line in enumerate(lines[1:], 2):
        if line not in numbers:
            raise DataError(
                f"{path}, line {number}: {line!r} is not the number of a class (0 to {len(classes) - 1}, or -1)"
            )
    return tuple(numbers[line] for line in lines[1:])


class FrameNumbers:
    """Numbers of each frame of a video, such as a box.

    Args:
        path: a text file with one line per frame, the numbers separated by commas or spaces; or a folder with one .pts
            or .txt file per frame, with the frame number in its name (from 0 if there is a 0, otherwise from 1).

    Raises:
        UnreadableMedia: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._files: dict[int, Path] = {}
        self._lines: list[str] = []
        if path.is_dir():
            self._files = self.numbered(path, {".pts", ".txt"})
        else:
            self._lines = _text(path).splitlines()
            if self._lines and re.search(r"[A-DF-Za-df-z]", self._lines[0]):
                del self._lines[0]  # names of the columns

    def of_frame(self, index: int) -> tuple[float, ...]:
        """The numbers of a frame, from 0; none when there are none for it."""
        if index in self._files:
            # In a .pts file (iBUG) the numbers stand in braces, after a version and a count.
            text = _text(self._files[index])
            return _numbers(text[text.find("{") + 1 :])
        return _numbers(self._lines[index]) if index < len(self._lines) else ()

    @staticmethod
    def numbered(folder: Path, suffixes: Collection[str]) -> dict[int, Path]:
        """Files of a folder by the frame that the last number in their name tells.

        Args:
            folder: of the files.
            suffixes: in lower case, of those that count.
        """
        found: dict[int, Path] = {}
        for path in folder.iterdir():
            digits = re.findall(r"\d+", path.stem)
            if digits and path.suffix.lower() in suffixes and not path.name.startswith("."):
                found[int(digits[-1])] = path
        first = 0 if 0 in found else 1
        return {number - first: path for number, path in found.items()}


def box_of(numbers: Sequence[float]) -> Box | None:
    """The upright box around corners, two or four of them (x, y, x, y, ...) in pixels; None when it has no area."""
    if len(numbers) not in (4, 8) or not np.isfinite(numbers).all():
        return None
    (x1, y1), (x2, y2) = np.reshape(numbers, (-1, 2)).min(axis=0), np.reshape(numbers, (-1, 2)).max(axis=0)
    return (float(x1), float(y1), float(x2), float(y2)) if x2 > x1 and y2 > y1 else None


def eyes_of(numbers: Sequence[float]) -> tuple[Point, ...]:
    """Middle of the person's right eye and of the left one, from 68 points (x, y, ...); nothing from other counts."""
    if len(numbers) != 2 * _POINTS or not np.isfinite(numbers).all():
        return ()
    points = np.reshape(numbers, (-1, 2))
    right, left = points[_RIGHT_EYE].mean(axis=0), points[_LEFT_EYE].mean(axis=0)
    return (float(right[0]), float(right[1])), (float(left[0]), float(left[1]))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in _NUMBER.findall(text))


def _check_kind(path: Path, classes: Sequence[str], lines: Sequence[str]) -> None:
    """Raise when the labels are of another kind: valence and arousal, action units, numbers without names."""
    words = {word.casefold() for word in classes}
    is_named = any(letter.isalpha() for letter in "".join(lines if len(classes) == 1 else classes))
    if words & {"valence", "arousal"} or path.parent.name.casefold() in ("valence", "arousal"):
        raise DataError(f"{path} has valence and arousal, which are not expressions; mien learns from labels")
    if all(re.fullmatch(r"au\d+", word) for word in words):
        raise DataError(f"{path} has action units, which are not expressions; mien learns from labels")
    if is_named:
        return
    if len(classes) > 1 or any("." in line for line in lines):
        raise DataError(f"{path} has numbers such as valence and arousal, which are not expressions")
    if set(lines) - set(_NOT_ANNOTATED):
        raise DataError(f"{path} has numbers but no first line that names them (Neutral,Anger,...); add that line")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig", errors="replace")
    except OSError as exc:
        raise read_error(str(path), exc) from exc

"""Wording that every room needs: counts with their nouns, names as text and on a terminal, their order, Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

JOINERS = "\u200c\u200d"
"""Characters that nobody sees but that change how their neighbours look, in Persian and Indic words and in emoji."""

_DIGITS = re.compile(r"(\d+)")
_SCARCELY_SEEN = re.compile(f"[{JOINERS}]|(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]+\U000e007f")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_BAR = re.compile(r"(\\*)\|")
_ESCAPED_BAR = re.compile(r"(\\+)\|")
_PLURALS = {"class": "classes", "copy": "copies"}


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and what it counts: "1 face", "2 faces", "1,204 frames", "0 classes".

    Args:
        number: how many.
        noun: its singular; other words may precede it, as in "bad row".
        plural: its plural, unless that only adds an s or is one of the few known here.
    """
    return f"{number:,} {noun if number == 1 else plural or _plural(noun)}"


def _plural(noun: str) -> str:
    *before, last = noun.split(" ")
    return " ".join([*before, _PLURALS.get(last, f"{last}s")])


def is_printable(text: str) -> bool:
    """Whether a text is one line without control characters; joiners, and what makes a black flag that of a region,
    belong to their neighbours."""
    return _SCARCELY_SEEN.sub("", text).isprintable()


def trimmed(text: str) -> str:
    """A text without spaces and joiners at its ends, where these join nothing."""
    shorter = text.strip().strip(JOINERS)
    return shorter if shorter == text else trimmed(shorter)


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that puts A2 before A10, whatever the case; distinct names have distinct keys."""
    pieces = _DIGITS.split(name.casefold())
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces if piece], name


def as_text(name: str) -> str:
    """A name in the form in which every record, table and page has it.

    Python keeps the bytes of a file name that are not valid UTF-8 as lone surrogates, which no text file can hold and
    which other programs refuse in JSON. They become escapes of six characters: `caf\\udce9.mp4`.
    """
    return name.encode("utf-8", "backslashreplace").decode()


def json_text(
    data: object,
    *,
    indent: int | None = None,
    allow_nan: bool = True,
    default: Callable[[object], object] | None = None,
) -> str:
    """JSON for other programs: as from `json.dumps`, but not reduced to ASCII, with names as `as_text` gives them."""
    text = json.dumps(data, ensure_ascii=False, indent=indent, allow_nan=allow_nan, default=default)
    return _LONE_SURROGATE.sub(lambda found: as_text(found[0]).replace("\\", "\\\\"), text)


def visible(text: str) -> str:
    r"""Text without characters that a terminal obeys or that turn its direction: `\x1b` for an escape.

    Line feeds and tabs stay: sentences have them. Joiners and marks of direction stay: names in many scripts need them.
    """
    return _OBEYED.sub(_written_out, text) if not text.isprintable() else text


def visible_name(name: object) -> str:
    r"""A name of a file in one line: `\n` for a line feed, and as `visible` otherwise."""
    return visible(str(name)).replace("\n", "\\n").replace("\t", "\\t")


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def one_line(text: str) -> str:
    """A text with a space in place of each line break and the spaces around it, for a cell or a list in Markdown."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def cells_of_markdown(line: str) -> list[str]:
    """The cells of one line of `markdown_table`."""
    cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
    return [_ESCAPED_BAR.sub(lambda found: "\\" * (len(found[1]) // 2) + "|", cell) for cell in cells]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a bar within a cell is escaped, and so are backslashes before it; a line break becomes a
    space."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return _BAR.sub(lambda found: found[1] * 2 + "\\|", one_line(text))

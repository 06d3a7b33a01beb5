"""Names and foreign text that are shown: what a terminal would obey is written out."""

from __future__ import annotations

import re

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


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

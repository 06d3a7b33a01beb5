"""Words that every room needs: how many of what."""

from __future__ import annotations

_IRREGULAR = {"copy": "copies", "entry": "entries", "person": "persons", "pass": "passes", "match": "matches"}


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and what it counts: "1 face", "2 faces", "1,204 frames", "0 copies".

    Args:
        number: how many.
        noun: one of them; more words may stand before it, as in "bad row".
        plural: several of them, where an s at the end would not do and `noun` is none of the known ones.
    """
    return f"{number:,} {noun if number == 1 else plural or plural_of(noun)}"


def plural_of(noun: str) -> str:
    """Several of what a noun names one of: "faces", "bad rows", "copies"."""
    *before, last = noun.split(" ")
    return " ".join([*before, _IRREGULAR.get(last, f"{last}s")])

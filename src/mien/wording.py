"""Words that every room needs: how many of what, and what is absent."""

from __future__ import annotations

from collections.abc import Collection

_PLURALS = {"class": "classes", "copy": "copies"}
_SEEN = {"emotion": "face", "gesture": "hand"}


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and what it counts: "1 face", "2 faces", "1,204 frames", "0 classes".

    Args:
        number: how many.
        noun: one of them; more words may stand before it, as in "bad row".
        plural: several of them, where it is more than an s that is added, and not one of the few nouns known here.
    """
    return f"{number:,} {noun if number == 1 else plural or _plural(noun)}"


def nothing(tasks: Collection[str] = ()) -> str:
    """What was looked for and is not there: "no face", "no hand", or "no face and no hand".

    Args:
        tasks: what was looked for, `emotion` for faces, `gesture` for hands; both when nobody knows.
    """
    return " and ".join(f"no {what}" for task, what in _SEEN.items() if not tasks or task in tasks)


def _plural(noun: str) -> str:
    *before, last = noun.split(" ")
    return " ".join([*before, _PLURALS.get(last, f"{last}s")])

"""What mien says to people, a TOML file per language: `say` gives a text in the language that was chosen."""

from __future__ import annotations

from mien.words.choice import FALLBACK, choose, instead, language, languages, listed, percent, say, words
from mien.words.kept import again, kept
from mien.words.texts import Words

__all__ = [
    "FALLBACK",
    "Words",
    "again",
    "choose",
    "instead",
    "kept",
    "language",
    "languages",
    "listed",
    "percent",
    "say",
    "words",
]

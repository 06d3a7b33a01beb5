"""What mien says to people, a TOML file per language: `say` gives a text in the language that was chosen."""

from __future__ import annotations

from mien.words.choice import FALLBACK, choose, instead, language, languages, say, words
from mien.words.texts import Words

__all__ = ["FALLBACK", "Words", "choose", "instead", "language", "languages", "say", "words"]

"""What mien says to people, a TOML file per language: `say` gives a text in the language that was chosen."""

from __future__ import annotations

from mien.words.choice import choose, language, languages, say, words
from mien.words.texts import Words

__all__ = ["Words", "choose", "language", "languages", "say", "words"]

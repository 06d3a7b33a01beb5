"""Fonts of the system for letters that OpenCV's and pygame's own fonts lack, above all Chinese; without fontconfig.

Where no font has the characters of the language spoken, what is drawn is in English, and the log says once how to get a
font. The variable MIEN_FONTS names folders or files to look in instead of the system's.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mien.wording import JOINERS
from mien.words import FALLBACK, instead, language, say, words

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

VARIABLE = "MIEN_FONTS"

_NAMES = (
    *("notosanscjk-regular.ttc", "notosanscjksc-regular.otf", "notosanssc-regular.otf", "notosanssc-regular.ttf"),
    *("sourcehansanssc-regular.otf", "sourcehansanscn-regular.otf", "sourcehansans-regular.ttc", "notosanscjk-vf.ttc"),
    *("msyh.ttc", "pingfang.ttc", "hiragino sans gb.ttc", "stheiti medium.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc"),
    *("droidsansfallbackfull.ttf", "droidsansfallback.ttf", "simhei.ttf", "simsun.ttc", "msgothic.ttc", "malgun.ttf"),
    *("applesdgothicneo.ttc", "arial unicode.ttf", "arialuni.ttf", "unifont.otf", "unifont.ttf"),
    *("notosans-regular.ttf", "notosansarabic-regular.ttf", "notosansdevanagari-regular.ttf", "dejavusans.ttf"),
    *("segoeui.ttf", "nirmala.ttf", "seguiemj.ttf"),
)
"""Names of files, best first."""

_MORE = re.compile(r"cjk|hans|song|ming|hei|kai|gothic|[^a-z](sc|cn)[^a-z].*\.(ttf|ttc|otf)$")
"""What the names of other fonts with Chinese characters have in common."""

_SUFFIXES = (".ttf", ".ttc", ".otf", ".otc")
_MOST_FACES = 12
_TRIED = 20  # pixels, for a look at the letters of a font
_NO_LETTER = "\uffff"

_log = logging.getLogger(__name__)


class FontFace(NamedTuple):
    """A font of a file, which may hold several."""

    path: str
    number: int = 0


def font_for(text: str) -> FontFace | None:
    """The best font that has all letters of a text; None if there is none, or if the text is ASCII."""
    letters = "".join(sorted({letter for letter in text if not letter.isascii() and letter not in JOINERS}))
    return _font_with(letters, os.environ.get(VARIABLE)) if letters else None


@lru_cache(100)
def opened(face: FontFace, size: int) -> FreeTypeFont:
    """A font in a size in pixels."""
    from PIL import ImageFont

    return ImageFont.truetype(face.path, size, index=face.number)


def family_of(face: FontFace) -> str:
    """What a font is called."""
    return opened(face, _TRIED).getname()[0] or ""


def is_drawable(text: str) -> bool:
    """Whether some font has all letters of a text."""
    return text.isascii() or font_for(text) is not None


def drawable(text: str) -> str:
    """A text as it can be drawn: as it is or, without a font for it, without accents and with dots for letters that
    have no form in ASCII."""
    if is_drawable(text):
        return text
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^\x20-\x7e]+", "...", plain)


def drawn_label(name: str, place: int) -> str:
    """A label as it can be drawn: as it is or, without a font for it, by its place (from 0) in its set."""
    return name if is_drawable(name) else f"label {place + 1}"


@contextmanager
def drawn_words() -> Iterator[None]:
    """Within it, mien speaks the language that it can draw; see `drawn_language`."""
    with instead(drawn_language()):
        yield


def drawn_language() -> str:
    """The language that can be drawn: the one spoken now or, without a font (which the log says once), English."""
    tag = language()
    return tag if _can_draw(tag, os.environ.get(VARIABLE)) else FALLBACK


def font_folders() -> list[Path]:
    """Where fonts are looked for, and the user's own before the system's."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return [Path(part) for part in chosen.split(os.pathsep) if part]
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() fails for users without one
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
        return [Path(local, "Microsoft", "Windows", "Fonts"), Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")]
    if sys.platform == "darwin":
        return [home / "Library" / "Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    data = os.environ.get("XDG_DATA_HOME") or home / ".local" / "share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    folders = [Path(data, "fonts"), home / ".fonts", *(Path(part, "fonts") for part in shared.split(":") if part)]
    return list(dict.fromkeys([*folders, Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]))


@lru_cache(200)
def _font_with(letters: str, chosen: str | None) -> FontFace | None:
    files = _files(chosen)
    named = [files[name] for name in _NAMES if name in files]
    others = [path for name, path in sorted(files.items()) if chosen is not None or _MORE.search(name)]
    for path in dict.fromkeys([*named, *others]):
        face = _face(path)
        if face is not None and _has(face, letters):
            return face
    return None


@lru_cache(4)
def _files(chosen: str | None) -> dict[str, str]:
    """Font files by their names in lower case; of two with the same name the first one found."""
    del chosen  # what font_folders() goes by
    found: dict[str, str] = {}
    for folder in font_folders():
        if folder.is_file():
            found.setdefault(folder.name.lower(), str(folder))
        for root, _, names in os.walk(folder):
            for name in names:
                if name.lower().endswith(_SUFFIXES):
                    found.setdefault(name.lower(), os.path.join(root, name))  # noqa: PTH118 - thousands of files
    return found


@lru_cache(200)
def _face(path: str) -> FontFace | None:
    """The font of a file, of several the one with the simplified forms of characters; None if it cannot be opened."""
    faces = []
    for number in range(_MOST_FACES if path.lower().endswith((".ttc", ".otc")) else 1):
        try:
            faces.append((FontFace(path, number), opened(FontFace(path, number), _TRIED).getname()[0] or ""))
        except OSError:
            break
    simplified = (face for face, family in faces if family.endswith((" SC", " CN")) and "Mono" not in family)
    return next(simplified, faces[0][0] if faces else None)


def _has(face: FontFace, letters: str) -> bool:
    """Whether no letter would be the box that stands for a missing one."""
    font = opened(face, _TRIED)
    absent = bytes(font.getmask(_NO_LETTER))
    return all(bytes(font.getmask(letter)) != absent for letter in letters if letter != "\u3000")


@lru_cache(20)
def _can_draw(tag: str, chosen: str | None) -> bool:
    """Whether a font has every letter of a language's words; tells the user, once, if none has."""
    texts = str((words(tag).texts, words(tag).responses))
    if is_drawable(texts):
        return True
    del chosen
    _log.warning("%s", say("font.missing", language=words(tag).say("name")))
    return False

"""Names that a terminal would obey are written out."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.addresses import named
from mien.visible import visible, visible_name
from mien.words import say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u9ad8\u5174 \U0001f600.jpg", "plain \u9ad8\u5174 \U0001f600.jpg"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("c\x9b31m\x7f\r", r"c\x9b31m\x7f\r"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\udcff.jpg", "\udcff.jpg"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_only_what_a_terminal_obeys_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible_name(Path(text)) == shown.replace("\n", r"\n").replace("\t", r"\t")


def test_sentences_show_names_safely() -> None:
    path = Path("a\x1b[2J\nb.jpg")
    assert named(path) == r"a\x1b[2J\nb.jpg"
    assert say("look.line", path=path, words="1 face") == r"a\x1b[2J\nb.jpg: 1 face"
    assert "rtsp://camera" in named("\nrtsp://user:secret@camera/\x1b")

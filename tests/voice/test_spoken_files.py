from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mien.errors import OutputError
from mien.voice.engines import Engine
from mien.voice.responses import Sentence
from mien.voice.spoken_files import SpokenFiles
from mien.voice.time_limit import TimeLimit


class TextEngine(Engine):
    """Writes the text itself."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name, self._fails = name, fails
        self.count = 0

    def render(self, text: str, path: Path, _stop: threading.Event) -> None:
        self.count += 1
        path.write_text(text)
        if self._fails:
            raise OutputError("no")


def sentence(text: str, prompt: Path | None = None) -> Sentence:
    return Sentence(text, "happy", "emotion", 0.0, prompt)


@pytest.fixture
def guard() -> TimeLimit:
    return TimeLimit(5, lambda _: None)


def test_a_prompt_is_its_own_file(guard: TimeLimit, tmp_path: Path) -> None:
    with SpokenFiles([TextEngine("one")], guard) as files:
        assert files.get(sentence("Ahoy", tmp_path / "a.wav")) == (tmp_path / "a.wav", "prompt")


def test_the_first_engine_that_can_renders(guard: TimeLimit) -> None:
    bad, good = TextEngine("bad", fails=True), TextEngine("good")
    with SpokenFiles([bad, good], guard) as files:
        for text in ("Ahoy", "Hello", "Ahoy"):
            found = files.get(sentence(text))
            assert found is not None
            assert (found[0].read_text(), found[1]) == (text, "good")
        assert [path.read_text() for path in sorted(found[0].parent.iterdir())] == ["Ahoy", "Hello"]
        assert (bad.count, good.count) == (1, 2)


def test_nobody_can(guard: TimeLimit) -> None:
    with SpokenFiles([TextEngine("bad", fails=True)], guard) as files:
        assert files.get(sentence("Ahoy")) is None


def test_few_files_are_kept_and_none_in_the_end(guard: TimeLimit) -> None:
    with SpokenFiles([TextEngine("one")], guard) as files:
        found = [files.get(sentence(f"number {number}")) for number in range(100)]
        assert found[-1] is not None
        folder = found[-1][0].parent
        assert len(list(folder.iterdir())) == 32
        assert found[-1][0].read_text() == "number 99"
    assert not folder.exists()


def test_a_cleared_folder_is_made_again(guard: TimeLimit) -> None:
    engine = TextEngine("one")
    with SpokenFiles([engine], guard) as files:
        first = files.get(sentence("Ahoy"))
        assert first is not None
        first[0].unlink()
        first[0].parent.rmdir()
        again = files.get(sentence("Ahoy"))
        assert again is not None
        assert again[0].read_text() == "Ahoy"

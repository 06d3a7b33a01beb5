from __future__ import annotations

import json
import threading
import time
import wave
from pathlib import Path
from typing import Any

import pytest

from mien.errors import OutputError, RefusedOutput
from mien.voice import speech_folder
from mien.voice.engines import Engine, wav_seconds
from mien.voice.responses import Responses, Sentence, prompt_for
from mien.voice.speech_folder import LIST, SpeechFolder


class ToneEngine(Engine):
    """Writes a file of a tenth of a second, after a while."""

    name = "tone"

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def render(self, _text: str, path: Path, stop: threading.Event) -> None:
        stop.wait(self._seconds)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(1600))


def own(text: str, time_s: float = 1.0, label: str = "happy") -> Sentence:
    return Sentence(text, label, "emotion", time_s)


def prompted() -> Sentence:
    label, text = Responses.load().texts()[0]
    return Sentence(text, label, "gesture", 12.34567, prompt_for(label, text))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "speech.jsonl").read_text("utf-8").splitlines()]


def test_what_was_said_is_written(tmp_path: Path) -> None:
    sentence = prompted()
    assert sentence.prompt is not None
    with SpeechFolder(tmp_path / "speech", [ToneEngine()]) as folder:
        folder.say(sentence)
        folder.say(own("Schön!", label="../odd label"))
        assert folder.wait_until_quiet(10)
    first, second = (f"000001_{sentence.label}.wav", "000002_-odd-label.wav")
    assert {path.name for path in (tmp_path / "speech").iterdir()} == {first, second, "speech.jsonl"}
    assert (tmp_path / "speech" / first).read_bytes() == sentence.prompt.read_bytes()
    assert wav_seconds(tmp_path / "speech" / second) == pytest.approx(0.1)
    assert lines(tmp_path / "speech") == [
        {"time_s": 12.3457, "text": sentence.text, "label": sentence.label, "file": first, "engine": "prompt"},
        {"time_s": 1.0, "text": "Schön!", "label": "../odd label", "file": second, "engine": "tone"},
    ]


def test_text_alone_where_nobody_renders(tmp_path: Path) -> None:
    with SpeechFolder(tmp_path) as folder:
        folder.say(own("Ahoy"))
        assert folder.wait_until_quiet(10)
    assert lines(tmp_path) == [{"time_s": 1.0, "text": "Ahoy", "label": "happy", "file": None, "engine": "text"}]
    assert [path.name for path in tmp_path.iterdir()] == ["speech.jsonl"]


def test_nothing_said_is_an_empty_list(tmp_path: Path) -> None:
    SpeechFolder(tmp_path).close()
    assert lines(tmp_path) == []


def test_closing_finishes_what_was_said(tmp_path: Path) -> None:
    folder = SpeechFolder(tmp_path, [ToneEngine(seconds=0.05)])
    for number in range(70):  # more than wait anywhere else
        folder.say(own(f"number {number % 40}"))
    folder.close()
    found = lines(tmp_path)
    assert [line["text"] for line in found] == [f"number {number % 40}" for number in range(70)]
    assert {line["engine"] for line in found} == {"tone"}
    assert all((tmp_path / line["file"]).is_file() for line in found)
    assert not folder.status


def test_closing_ends_in_time_and_says_what_is_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = SpeechFolder(tmp_path, [ToneEngine(seconds=20)], finish_s=1.2)
    for number in range(5):
        folder.say(own(f"number {number}"))
    folder.say(prompted())
    start_s = time.perf_counter()
    folder.close()
    assert time.perf_counter() - start_s < 4
    found = lines(tmp_path)
    assert [line["text"] for line in found][:5] == [f"number {number}" for number in range(5)]
    assert [(line["engine"], line["file"] is None) for line in found] == [(None, True)] * 5 + [("prompt", False)]
    assert (tmp_path / found[5]["file"]).is_file()
    assert "Writing what was said" in caplog.text
    assert "5 of the sentences said could not be saved to" in folder.status


def test_an_interruption_ends_the_wait_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SpeechFolder(tmp_path, [ToneEngine(seconds=20)])
    folder.say(own("Ahoy"))

    def interrupted(_: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "wait_until_quiet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.close()
    assert [line["engine"] for line in lines(tmp_path)] == [None]


def test_an_engine_that_fails_at_the_end_is_text(tmp_path: Path) -> None:
    class Broken(ToneEngine):
        def render(self, _text: str, _path: Path, _stop: threading.Event) -> None:
            raise OutputError("tone is out of order.")

    folder = SpeechFolder(tmp_path, [Broken()])
    folder.say(own("Ahoy"))
    folder.close()
    assert [line["engine"] for line in lines(tmp_path)] == ["text"]


def test_muted_writes_nothing(tmp_path: Path) -> None:
    with SpeechFolder(tmp_path) as folder:
        folder.muted = True
        folder.say(own("Ahoy"))
    assert lines(tmp_path) == []


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"is not empty; name another folder, or .* --overwrite"):
        SpeechFolder(tmp_path)
    (tmp_path / "000007_sad.wav").write_text("earlier")
    (tmp_path / "speech.jsonl").write_text("earlier")
    (tmp_path / "000007_sad.mp3").write_text("mine")
    with SpeechFolder(tmp_path, overwrite=True) as folder:
        folder.say(own("Ahoy"))
        assert folder.wait_until_quiet(10)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "000007_sad.mp3", "speech.jsonl"}
    assert len(lines(tmp_path)) == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a folder"):
        SpeechFolder(tmp_path / "file" / "speech")


def test_a_full_disk_ends_the_writing_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SpeechFolder(tmp_path) as folder:
        folder.say(prompted())
        assert folder.wait_until_quiet(10)

        def full(target: Path, data: bytes) -> None:
            raise OutputError(f"Cannot write {target}: the disk is full.")

        monkeypatch.setattr(speech_folder, "write_whole", full)
        folder.say(prompted())
        assert folder.wait_until_quiet(10)
        assert "the disk is full" in folder.status
        folder.say(prompted())
        begin_s = time.monotonic()
    assert time.monotonic() - begin_s < 10  # nobody waits for a writer that has ended
    assert len(lines(tmp_path)) == 1
    assert not list(tmp_path.glob("*.part"))


def test_a_second_run_takes_nothing_from_the_first(tmp_path: Path) -> None:
    with SpeechFolder(tmp_path / "speech") as first:
        first.say(Sentence("Hello.", "happy", "emotion", 0.5))
        assert first.wait_until_quiet(10)
        with pytest.raises(RefusedOutput, match="another run"):
            SpeechFolder(tmp_path / "speech", overwrite=True)
    assert len((tmp_path / "speech" / LIST).read_text().splitlines()) == 1
    SpeechFolder(tmp_path / "speech", overwrite=True).close()

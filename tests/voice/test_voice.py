from __future__ import annotations

import logging
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.errors import OutputError
from mien.voice.engines import Engine, Player
from mien.voice.responses import Responses, Sentence, prompt_for
from mien.voice.voice import RecordingVoice, SpeakingVoice, Voice, open_voice

WORDS = Sentence("Ahoy!", "happy", "emotion", 1.0)
QUIET_S = 10.0  # at most, for what should be over at once


def beep(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((3000 * np.sin(np.arange(1600) / 5)).astype("<i2").tobytes())


class FakeEngine(Engine):
    """Renders a beep and speaks into a list; does something else before, and nothing after it, if it is told to."""

    def __init__(self, name: str = "fake", before: Callable[[], object] = bool, *, speaks: bool = False) -> None:
        self.name, self.speaks, self._before = name, speaks, before
        self.rendered: list[str] = []
        self.spoken: list[str] = []

    def render(self, text: str, path: Path, _stop: threading.Event) -> None:
        if not self._before():
            beep(path)
            self.rendered.append(text)

    def speak(self, text: str, _stop: threading.Event) -> None:
        if not self._before():
            self.spoken.append(text)


class FakePlayer(Player):
    """Notes what it should play, each for a while."""

    def __init__(self, seconds: float = 0.0, trouble: str = "") -> None:
        self.played: list[Path] = []
        self.broken_off = 0
        self.closed = False
        self._seconds, self._trouble = seconds, trouble

    def open(self, _stop: threading.Event) -> None:
        if self._trouble:
            raise OutputError(self._trouble)

    def play(self, path: Path, stop: threading.Event) -> None:
        assert path.is_file()
        self.played.append(path)
        self.broken_off += stop.wait(self._seconds)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def hang() -> Iterator[Callable[[], object]]:
    """Hangs for 30 seconds, or until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


@pytest.fixture
def prompted() -> Sentence:
    """A sentence of the package, with its prompt."""
    label, text = Responses.load().texts()[0]
    return Sentence(text, label, "gesture", 0.0, prompt_for(label, text))


def wait_for(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + QUIET_S
    while not condition():
        assert time.monotonic() < end_s, "it does not come"
        time.sleep(0.005)


def test_prompts_are_played_as_they_are(prompted: Sentence) -> None:
    player, engine = FakePlayer(), FakeEngine()
    with SpeakingVoice([engine], player) as voice:
        voice.say(prompted)
        assert voice.wait_until_quiet(QUIET_S)
    assert player.played == [prompted.prompt]
    assert engine.rendered == []
    assert player.closed
    assert voice.status == ""


def test_own_sentences_are_rendered_once_and_removed_at_the_end() -> None:
    player, engine = FakePlayer(), FakeEngine()
    with SpeakingVoice([engine], player) as voice:
        for _ in range(3):
            voice.say(WORDS)
            assert voice.wait_until_quiet(QUIET_S)
        paths = list(player.played)
    assert len(paths) == 3
    assert engine.rendered == [WORDS.text]
    assert not paths[0].parent.exists()


def test_the_newest_replaces_the_one_that_waits() -> None:
    engine, player = FakeEngine(), FakePlayer(seconds=0.4)
    with SpeakingVoice([engine], player) as voice:
        voice.say(Sentence("first", "happy", "emotion", 0.0))
        wait_for(lambda: player.played)
        for number in range(50):
            voice.say(Sentence(f"later {number}", "happy", "emotion", 0.0))
        assert voice.wait_until_quiet(QUIET_S)
    assert engine.rendered == ["first", "later 49"]


def test_saying_never_blocks() -> None:
    with SpeakingVoice([FakeEngine()], FakePlayer(seconds=0.01)) as voice:
        took_s = []
        for _ in range(2000):
            start_s = time.perf_counter()
            voice.say(WORDS)
            took_s.append(time.perf_counter() - start_s)
    assert np.percentile(took_s, 95) < 1e-3


def test_an_engine_that_hangs_is_given_up(hang: Callable[[], object], caplog: pytest.LogCaptureFixture) -> None:
    player = FakePlayer()
    stuck, other = FakeEngine("stuck", hang), FakeEngine("other")
    with caplog.at_level(logging.WARNING), SpeakingVoice([stuck, other], player, limit_s=0.2) as voice:
        start_s = time.perf_counter()
        voice.say(WORDS)
        assert time.perf_counter() - start_s < 0.1
        assert voice.wait_until_quiet(QUIET_S)
        assert "stuck gave no answer" in voice.status
        voice.say(Sentence("again", "happy", "emotion", 2.0))
        assert voice.wait_until_quiet(QUIET_S)
    assert other.rendered == ["Ahoy!", "again"]
    assert len(player.played) == 2
    assert len(caplog.records) == 1, "it is said once"


def test_an_engine_that_raises_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ZeroDivisionError("odd")

    player, broken = FakePlayer(), FakeEngine("broken", fail)
    with caplog.at_level(logging.WARNING), SpeakingVoice([broken], player) as voice:
        for _ in range(3):
            voice.say(WORDS)
            assert voice.wait_until_quiet(QUIET_S)
    assert player.played == []
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "broken failed: odd"
    assert "only shown" in second


def test_without_an_engine_prompts_are_still_played(prompted: Sentence, caplog: pytest.LogCaptureFixture) -> None:
    player = FakePlayer()
    with caplog.at_level(logging.WARNING), SpeakingVoice([], player) as voice:
        for sentence in (WORDS, prompted, WORDS):
            voice.say(sentence)
            assert voice.wait_until_quiet(QUIET_S)
    assert player.played == [prompted.prompt]
    assert "espeak-ng" in voice.status
    assert len(caplog.records) == 1


def test_no_sound_device_is_said_once(prompted: Sentence, caplog: pytest.LogCaptureFixture) -> None:
    player, engine = FakePlayer(trouble="There is no sound device here."), FakeEngine(speaks=True)
    with caplog.at_level(logging.WARNING), SpeakingVoice([engine], player) as voice:
        for _ in range(3):
            voice.say(prompted)
            assert voice.wait_until_quiet(QUIET_S)
        assert voice.status == "There is no sound device here"
    assert player.played == []
    assert engine.spoken == [], "another engine would not be heard either"
    assert len(caplog.records) == 1


def test_the_device_is_looked_for_before_it_is_needed() -> None:
    with SpeakingVoice([], FakePlayer(trouble="There is no sound device here.")) as voice:
        wait_for(lambda: voice.status)


def test_a_player_that_hangs_is_given_up(prompted: Sentence, hang: Callable[[], object]) -> None:
    class StuckPlayer(FakePlayer):
        def open(self, _stop: threading.Event) -> None:
            hang()

    voice = SpeakingVoice([FakeEngine()], StuckPlayer(), limit_s=0.2)
    voice.say(prompted)
    wait_for(lambda: voice.status)
    assert "sound gave no answer" in voice.status
    start_s = time.perf_counter()
    voice.close()
    assert time.perf_counter() - start_s < 2


def test_engines_speak_prompts_where_there_is_no_player(prompted: Sentence) -> None:
    mute, first, second = FakeEngine("mute"), FakeEngine("first", speaks=True), FakeEngine("second", speaks=True)
    with SpeakingVoice([mute, first, second], None) as voice:
        voice.say(prompted)
        assert voice.wait_until_quiet(QUIET_S)
    assert first.spoken == [prompted.text]
    assert (mute.spoken, second.spoken) == ([], [])


def test_neither_player_nor_engine_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), SpeakingVoice([], None) as voice:
        for _ in range(3):
            voice.say(WORDS)
            assert voice.wait_until_quiet(QUIET_S)
    assert [record.getMessage() for record in caplog.records] == [voice.status]
    assert "pip install 'mien[live]'" in voice.status


def test_muted_says_nothing_and_breaks_off(prompted: Sentence) -> None:
    player = FakePlayer(seconds=20)
    with SpeakingVoice([FakeEngine()], player) as voice:
        voice.say(prompted)
        wait_for(lambda: player.played)
        voice.say(WORDS)
        voice.muted = True
        assert voice.muted
        assert voice.wait_until_quiet(QUIET_S)
        voice.say(WORDS)
        assert voice.wait_until_quiet(0)
        assert (len(player.played), player.broken_off) == (1, 1)
        voice.muted = False
        voice.say(prompted)
        wait_for(lambda: len(player.played) == 2)
        assert voice.status == ""


@pytest.mark.parametrize("when", ["playing", "rendering"])
def test_closing_ends_within_two_seconds(prompted: Sentence, hang: Callable[[], object], when: str) -> None:
    busy = threading.Event()
    player = FakePlayer(seconds=20)
    engine = FakeEngine("slow", lambda: (busy.set(), hang()))
    voice = SpeakingVoice([engine], player)
    voice.say(prompted if when == "playing" else WORDS)
    wait_for(lambda: player.played or busy.is_set())
    voice.say(WORDS)
    start_s = time.perf_counter()
    voice.close()
    voice.close()
    assert time.perf_counter() - start_s < 2
    voice.say(WORDS)
    assert voice.wait_until_quiet(2)


def test_ten_thousand_sentences_leave_few_files() -> None:
    engine, player = FakeEngine(), FakePlayer()
    with SpeakingVoice([engine], player) as voice:
        for number in range(10_000):
            voice.say(Sentence(f"number {number}", "happy", "emotion", 0.0))
        for number in range(40):
            voice.say(Sentence(f"slowly {number}", "happy", "emotion", 0.0))
            assert voice.wait_until_quiet(QUIET_S)
        kept = list(player.played[-1].parent.iterdir())
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("mien-")]
    assert len(kept) <= 32
    assert len(threads) <= 2


def test_the_fake_keeps_to_the_interface() -> None:
    recording: Voice
    with RecordingVoice() as recording:
        for muted in (False, True):
            recording.muted = muted
            recording.say(WORDS)
    assert (recording.said, recording.closed, recording.status) == ([WORDS], True, "")


@pytest.mark.parametrize(("driver", "trouble"), [("dummy", ""), ("nothing-of-that-name", "no sound device")])
def test_the_voice_of_this_machine(
    prompted: Sentence,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    driver: str,
    trouble: str,
) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", driver)
    with open_voice(Responses.load()) as voice:
        start_s = time.monotonic()
        voice.say(prompted)
        assert isinstance(voice, SpeakingVoice)
        assert voice.wait_until_quiet(30)
        assert trouble in voice.status
        assert trouble or (voice.status == "" and time.monotonic() - start_s > 1), "it is played to its end"
    assert capfd.readouterr() == ("", ""), "neither a greeting nor complaints of the system"

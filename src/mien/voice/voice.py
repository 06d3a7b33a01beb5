"""Sentences spoken aloud without blocking the caller.

`open_voice` returns the voice of this machine. It plays the package's prompts, and speaks your own sentences with
whatever is installed; if nothing can speak, it says so once and stays quiet. The text is shown elsewhere.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec

from mien.errors import OutputError
from mien.resource import Resource
from mien.voice.engines import Engine, Player, PygamePlayer, find_engines, wav_seconds
from mien.voice.responses import Responses, Sentence
from mien.voice.spoken_files import SpokenFiles
from mien.voice.time_limit import Outcome, TimeLimit
from mien.words import say

_log = logging.getLogger(__name__)

LIMIT_S = 20.0
"""How long an engine may take for a sentence before it is abandoned; Piper took 12 s on a busy machine."""

_CLOSE_S = 1.5
_WARM_UP_S = 1.5
"""The sound device is opened once the run has begun but before anything is said: it takes a third of a second."""
_CHARACTERS_A_SECOND = 8.0


class Voice(Resource):
    """Speaks sentences; the interface and what the implementations share.

    `say` returns at once. While one sentence is spoken, the newest other one waits. A failure is reported once, in
    `status` and as a warning in the log, and affects nothing else.
    """

    def __init__(self) -> None:
        self._muted = False
        self._status = ""

    @property
    def status(self) -> str:
        """The last problem, in a sentence; empty if there was none."""
        return self._status

    @property
    def muted(self) -> bool:
        """Whether sentences are skipped; setting it also cuts off the current one."""
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._muted = muted
        if muted:
            self._break_off()

    def say(self, sentence: Sentence) -> None:
        """Queue a sentence."""
        raise NotImplementedError

    def _break_off(self) -> None:
        """Be quiet now."""

    def _report(self, trouble: str) -> None:
        self._status = trouble
        _log.warning("%s", trouble)


class RecordingVoice(Voice):
    """Keeps what it is asked to say in `said`; for tests."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Sentence] = []
        self.closed = False

    def say(self, sentence: Sentence) -> None:
        if not self.muted and not self.closed:
            self.said.append(sentence)

    def close(self) -> None:
        self.closed = True


class QueuedVoice(Voice):
    """A voice with a thread that takes one sentence after another; subclasses decide what to do with them.

    Args:
        room: how many sentences may wait; another one replaces the oldest. None for any number.
        limit_s: seconds an engine may take.
    """

    def __init__(self, *, room: int | None, limit_s: float) -> None:
        super().__init__()
        self._guard = TimeLimit(limit_s, self._report)
        self._waiting: deque[Sentence] = deque(maxlen=room)
        self._wake = threading.Condition()
        self._busy = False
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="mien-voice", daemon=True)

    def say(self, sentence: Sentence) -> None:
        with self._wake:
            if not self._muted and not self._closing and self._thread.is_alive():
                self._waiting.append(sentence)
                self._wake.notify_all()

    def wait_until_quiet(self, timeout_s: float) -> bool:
        """Wait until everything is said, or at most this long; returns whether it is."""
        with self._wake:
            return self._wake.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self) -> None:
        """Cut off and end, within two seconds whatever the engines do."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._guard.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_S)

    def _handle(self, sentence: Sentence) -> None:
        raise NotImplementedError

    def _warm_up(self) -> None:
        """Preparation before the first sentence."""

    def _end(self) -> None:
        """Clean-up at the end, on the thread."""

    def _work(self) -> None:
        try:
            with self._wake:
                early = self._wake.wait_for(lambda: self._waiting or self._closing, _WARM_UP_S)
            if not early:
                self._warm_up()
            while (sentence := self._next()) is not None:
                self._handle(sentence)
        except OutputError as exc:
            self._report(str(exc))
        except Exception as exc:  # the run continues in text
            self._report(say("voice.stopped", why=str(exc) or type(exc).__name__))
        finally:
            with self._wake:
                self._busy = False
                self._closing = True  # what is said from now on would wait for nobody, and `close` for it
                self._waiting.clear()
                self._wake.notify_all()
            self._end()

    def _next(self) -> Sentence | None:
        """Wait for the next sentence; None at the end."""
        with self._wake:
            self._busy = False
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return None
            self._busy = True
            return self._waiting.popleft()


class SpeakingVoice(QueuedVoice):
    """Speaks sentences aloud.

    Args:
        engines: what speaks sentences without a prompt, best first.
        player: what plays the files; without one, engines that can speak by themselves speak the prompts too.
        limit_s: seconds an engine may take for a sentence, or may run beyond the sentence's own length.
    """

    def __init__(self, engines: Sequence[Engine], player: Player | None, *, limit_s: float = LIMIT_S) -> None:
        super().__init__(room=1, limit_s=limit_s)
        self._engines, self._player = engines, player
        self._files = SpokenFiles(engines, self._guard)
        self._told = False
        self._thread.start()

    def close(self) -> None:
        with self._wake:
            self._waiting.clear()
        super().close()

    def _break_off(self) -> None:
        with self._wake:
            self._waiting.clear()
        self._guard.interrupt()

    def _warm_up(self) -> None:
        if self._player is not None:
            self._guard.run("sound", self._player.open)

    def _handle(self, sentence: Sentence) -> None:
        if self._player is not None:
            self._play(sentence, self._player)
        else:
            self._speak(sentence)

    def _play(self, sentence: Sentence, player: Player) -> None:
        if self._guard.run("sound", player.open) is not Outcome.DONE:
            return
        found = self._files.get(sentence)
        if self._muted or self._closing:
            return
        if found is None:
            self._tell_once(say("voice.only_shown" if self._engines else "voice.only_shown_install"))
            return
        path = found[0]
        self._guard.run("sound", partial(player.play, path), more_s=wav_seconds(path))

    def _speak(self, sentence: Sentence) -> None:
        for engine in self._engines:
            if engine.speaks:
                speak = partial(engine.speak, sentence.text)
                outcome = self._guard.run(engine.name, speak, more_s=len(sentence.text) / _CHARACTERS_A_SECOND)
                if outcome is not Outcome.FAILED:
                    return
        self._tell_once(say("voice.nothing_speaks"))

    def _tell_once(self, trouble: str) -> None:
        if not self._told:
            self._told = True
            self._report(trouble)

    def _end(self) -> None:
        self._files.close()
        if self._player is not None and "sound" not in self._guard.given_up:
            self._player.close()


def open_voice(responses: Responses, *, limit_s: float = LIMIT_S) -> Voice:
    """The voice of this machine for the sentences of these responses.

    Args:
        responses: their language and voice file decide what speaks.
        limit_s: seconds an engine may take before it is abandoned.
    """
    player = PygamePlayer() if find_spec("pygame") else None
    return SpeakingVoice(
        find_engines(responses.language, responses.piper_voice, responses.voice), player, limit_s=limit_s
    )

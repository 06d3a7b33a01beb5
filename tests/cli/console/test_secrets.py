"""No verb prints a password that stands in one of its words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.cli.console.secrets import secrets_hidden

Run = Callable[..., Any]
BAD = ("rtsp://admin:pa#ss@127.0.0.1:9/x", "rtsp://admin:pa/ss@127.0.0.1:9/x", "rtsp://admin:12?34@127.0.0.1:9/x")


@pytest.mark.parametrize("url", BAD)
def test_live_explains_signs_that_end_a_password_early(mien: Run, url: str) -> None:
    ended = mien("live", url, "--headless", "--mute", "--seconds", "1")
    assert ended.code == 1
    assert all(sign in ended.err for sign in ("%23", "%2F", "%3F"))
    _check(ended, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://admin:s3cret@127.0.0.1:9/x",
        "HTTP://admin:s3cret@127.0.0.1:9/x?token=s3cret",
        "rtsp://admin:s3@cret@127.0.0.1:9/x",
        "rtsps://admin:s3cret@127.0.0.1:9/x",
        "srt://127.0.0.1:9?passphrase=s3cret",
        "rtsp:/admin:s3cret@127.0.0.1:9/x",
        "admin:s3cret@127.0.0.1",
        "admin:s3cret@127.0.0.1/x.mp4",
    ],
)
@pytest.mark.parametrize("verb", [("live", "--headless", "--mute"), ("look",), ("classify", "emotion"), ("report",)])
def test_no_verb_repeats_a_password(mien: Run, verb: tuple[str, ...], url: str) -> None:
    for words in ((*verb, url), ("--verbose", *verb, url)):
        ended = mien(*words)
        assert ended.code == 1
        _check(ended, url)


@pytest.mark.parametrize(
    "words",
    [
        ("report", "{}", "{}"),
        ("live", "{}", "--seconds={}"),
        ("live", "0", "--nonsense={}"),
        ("look", "x.jpg", "--every", "{}"),
        ("look", "--save={}", "x.jpg"),
        ("data", "explore", "{}", "--out", "{}"),
        ("data", "duplicates", "{}"),
        ("data", "collect", "{}", "{}"),
        ("data", "import", "{}", "out"),
        ("train", "{}", "--data", "{}"),
        ("train", "emotion", "--data", "{}"),
        ("train", "emotion", "--data", "x", "--set", "{}"),
        ("evaluate", "{}", "--data", "{}"),
        ("export", "{}", "{}", "--data", "{}"),
        ("models", "{}"),
        ("{}",),
    ],
)
@pytest.mark.parametrize("url", ["http://admin:s3cret@127.0.0.1:9/x", "rtsp://admin:s3/cret@127.0.0.1:9/x"])
def test_nor_does_the_reader_of_the_command_line(
    mien: Run, words: tuple[str, ...], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = mien(*(word.format(url) for word in words))
    assert ended.code in (1, 2)
    _check(ended, url)


@pytest.mark.parametrize("option", ["--record", "--jsonl", "--csv", "--parquet", "--events", "--speech-dir"])
def test_no_file_is_named_by_an_address(
    mien: Run, option: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    url = "rtmp://admin:s3cret@127.0.0.1/app/x.mp4"
    ended = mien("live", clip, "--headless", "--mute", option, url)
    assert ended.code == 2
    assert "is an address, but mien writes only to files" in ended.err
    _check(ended, url)
    assert not list(Path().iterdir())


def test_a_traceback_is_hidden_from_too(capsys: pytest.CaptureFixture[str]) -> None:
    url = "rtsp://admin:s3cret@cam/x"
    with secrets_hidden(["live", f"--source={url}"]):
        sys.stderr.write(f"ValueError: {url} and {url!r} and {Path(url)}\n")
        sys.stderr.writelines([f"{url}\n"])
        assert not sys.stderr.isatty()
    assert capsys.readouterr().err == ("ValueError: rtsp://cam/x and 'rtsp://cam/x' and rtsp://cam/x\nrtsp://cam/x\n")


def test_a_traceback_after_everything_is_hidden_from_too(tmp_path: Path) -> None:
    url = "rtsp://admin:s3cret@cam/x"
    code = f"""if True:
        import sys
        from mien.cli import main
        def broken(*_, **__):
            raise ValueError(sys.argv[2])
        main.app = broken
        sys.argv = ["mien", "live", {url!r}]
        main.run()
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr
    assert "rtsp://cam/x" in done.stderr
    assert "s3cret" not in done.stderr


def test_ordinary_words_change_nothing() -> None:
    before = sys.stderr
    with secrets_hidden(["look", "a.jpg", "--csv=b.csv", "", "-", "http://cam/x"]):
        assert sys.stderr is before


def test_a_word_of_unusual_length_is_shortened(mien: Run) -> None:
    ended = mien("look", "x" * 100_000)
    assert ended.code == 1
    assert len(ended.err) < 500


def _check(ended: Any, url: str) -> None:
    told = ended.err + ended.out
    assert "Traceback" not in told
    for secret in ("s3", "cret", "admin", "pa#", "pa/", "ss@", "12?", "34@"):
        assert secret not in told.replace("test_secrets", ""), told

"""Standard output that is full, closed, or left by its reader is told as any other output, whichever verb prints."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.artwork.drawings import draw_faces
from mien.cli.console.standard_streams import make_streams_legible
from mien.pixels.images import write_image

VERBS = ["--version", "--help", "recipes", "models"]


def _mien(verb: str, redirection: str) -> subprocess.CompletedProcess[str]:
    script = f'exec "$0" -m mien {verb} {redirection}'
    return subprocess.run(["/bin/sh", "-c", script, sys.executable], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_a_sentence(verb: str) -> None:
    ended = _mien(verb, ">/dev/full")
    assert ended.returncode == 1
    assert ended.stderr.startswith("mien: Cannot write to stdout: the disk is full")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_that_left_is_no_error(verb: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        words = [sys.executable, "-m", "mien", verb]
        ended = subprocess.run(words, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_stdout_that_is_closed_is_a_sentence() -> None:
    ended = _mien("recipes", ">&-")
    assert ended.returncode == 1
    assert ended.stderr == "mien: Cannot write to stdout: nothing is open there; name a file.\n"


def test_a_sentence_for_a_closed_stderr_is_lost_and_nothing_else() -> None:
    ended = _mien("report missing.csv", "2>&-")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_a_file_gets_no_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from mien.cli.console.standard_streams import open_closed_streams\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "open_closed_streams()\n"
        "number = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "os.write(number, str(number).encode())\n"
    )
    target = tmp_path / "records"
    subprocess.run([sys.executable, "-c", code, str(target)], check=True, timeout=60)
    assert int(target.read_text()) > 2


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "高兴 ñ".encode()),
        ("gb2312", "高兴 ".encode("gb2312") + b"\\xf1"),
        ("cp1252", b"\\u9ad8\\u5174 \xf1"),
        ("ascii", "高兴 ñ".encode()),  # LANG=C says nothing about the terminal
    ],
)
def test_every_text_can_be_printed_in_every_encoding(
    monkeypatch: pytest.MonkeyPatch, encoding: str, written: bytes
) -> None:
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    make_streams_legible()
    for stream in streams.values():
        stream.write("高兴 ñ")
        stream.write("\udcff")  # a byte of a file name that is no text, as Python keeps it
        stream.flush()
        assert stream.buffer.getvalue() == written + b"\xff"  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def gb2312(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a Chinese locale before Unicode."""
    folder = tmp_path_factory.mktemp("locales")
    localedef = shutil.which("localedef")
    if localedef is None or not Path("/usr/share/i18n/charmaps/GB2312.gz").exists():
        pytest.skip("no GB2312 locale can be made here: localedef or its character maps are missing")
    made = subprocess.run(
        [localedef, "-i", "zh_CN", "-f", "GB2312", str(folder / "zh_CN.GB2312")], capture_output=True, check=False
    )
    assert (folder / "zh_CN.GB2312").is_dir(), made.stderr
    return {"LOCPATH": str(folder), "LC_ALL": "zh_CN.GB2312"}


_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def _words(folder: Path, variables: dict[str, str], *words: bytes | str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-m", "mien", *words], cwd=folder, env=kept | variables, capture_output=True, timeout=120
    )


def test_names_and_words_in_the_old_chinese_locale(tmp_path: Path, gb2312: dict[str, str]) -> None:
    """A name on disk in GB2312 is told in GB2312 and recorded in UTF-8."""
    name = "高兴.png".encode("gb2312")
    write_image(tmp_path / "drawn.png", draw_faces())
    (tmp_path / "drawn.png").rename(tmp_path / os.fsdecode(name))
    ended = _words(tmp_path, gb2312, "look", name, "--jsonl", "out.jsonl", "--csv", "out.csv", "--csv-bom")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.startswith(name + b": ")
    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8"))["source"] == "高兴.png"
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfsource,")
    assert "\n高兴.png,0," in (tmp_path / "out.csv").read_text("utf-8-sig")
    missing = _words(tmp_path, gb2312, "look", "没有.png".encode("gb2312"))
    assert missing.returncode == 1
    assert "没有.png" in missing.stderr.decode("gb2312")


@pytest.mark.parametrize("locale", [_ASCII, {"LC_ALL": "C"}, {}])
def test_chinese_names_without_a_locale(tmp_path: Path, locale: dict[str, str]) -> None:
    """Also where Python's own way out is forbidden; every room works then, a library's plots included."""
    write_image(tmp_path / "高兴.png", draw_faces())
    ended = _words(tmp_path, locale, "look", "高兴.png", "没有.png", "--jsonl", "记录.jsonl")
    assert ended.returncode == 1
    assert ended.stdout.decode().startswith("高兴.png: ")
    assert ended.stderr.decode().startswith("mien: Cannot read 没有.png: ")
    assert json.loads((tmp_path / "记录.jsonl").read_text("utf-8"))["source"] == "高兴.png"
    ended = _words(tmp_path, locale, "report", "记录.jsonl", "--out", "报告.html")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "高兴.png" in (tmp_path / "报告.html").read_text("utf-8")

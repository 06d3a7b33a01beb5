from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from mien.cli.console.plain import is_plain, print_table, set_plain, shows_progress
from mien.cli.main import main


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("MIEN_PLAIN", raising=False)
    monkeypatch.setenv("NO_COLOR", "")
    yield
    set_plain(False)


def printed() -> str:
    table = Table(box=None)
    for heading in ("model", "size", "licence"):
        table.add_column(heading)
    table.add_row("emotion_residual", "3.6 MB", "Apache-2.0")
    table.add_row("face_centerface", "2.1 MB", "")
    file = io.StringIO()
    print_table(table, Console(file=file, width=80))
    return file.getvalue()


def test_a_table_has_a_line_for_each_fact() -> None:
    assert len(printed().splitlines()) == 3
    set_plain(True)
    assert printed().splitlines() == [
        "emotion_residual, size: 3.6 MB",
        "emotion_residual, licence: Apache-2.0",
        "face_centerface, size: 2.1 MB",
    ]


def test_the_variable_asks_for_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_plain()
    monkeypatch.setenv("MIEN_PLAIN", "1")
    assert is_plain()
    monkeypatch.setenv("MIEN_PLAIN", "0")
    assert not is_plain()


def test_no_bar_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert shows_progress()
    set_plain(True)
    assert not shows_progress()


@pytest.mark.parametrize("words", [["--plain", "models"], ["--plain", "doctor"], ["recipes"]])
def test_nothing_but_text(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_PLAIN", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert shown
    assert "\x1b" not in shown
    assert not [letter for letter in shown if "\u2500" <= letter <= "\u259f"], "lines and blocks are read out"


def test_look_says_a_fact_per_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mien.artwork.drawings import draw_people
    from mien.pixels.images import write_image

    photo = tmp_path / "people.png"
    write_image(photo, draw_people())
    assert main(["look", str(photo), "--plain"]) == 0
    lines = [line.removeprefix(f"{photo}: ") for line in capfd.readouterr().out.splitlines()]
    assert lines[:2] == ["3 faces", lines[1]]
    assert lines[1].startswith("face 1: looks ")
    assert [line for line in lines if line.startswith("hand 1, ")]
    assert len(lines) == 3 + 1 + 2 + 1
    assert not [line for line in lines if ";" in line]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_look_says_of_a_video_how_long_it_is_and_then_a_fact_per_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], language: str
) -> None:
    from mien.artwork.drawings import draw_people
    from mien.outputs.video import VideoWriter

    clip = tmp_path / "people.mp4"
    people = draw_people()
    with VideoWriter(clip, 5.0, people.shape[:2]) as video:
        for _ in range(2):
            video.write(people)
    assert main(["look", str(clip), "--plain", "--language", language]) == 0
    lines = [line.removeprefix(str(clip))[1:].strip() for line in capfd.readouterr().out.splitlines()]
    assert lines[0] == {"en": "2 frames up to 0.2 s", "zh": "共 2 帧，到 0.2 秒为止"}[language]
    assert len(lines) > 3
    assert not [line for line in lines[1:] if line.count("%") != 1]


def test_demo_says_a_fact_per_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--plain"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("people.png: 3 faces")]
    assert [line for line in lines if "people.png: face 1: looks " in line]
    assert not [line for line in lines if line.count("%") > 1]

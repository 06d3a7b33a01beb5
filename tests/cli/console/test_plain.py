from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from mien.cli.console.plain import indented, is_plain, narrowed, print_table, set_plain, shows_progress
from mien.cli.console.reading import table_lines
from mien.cli.main import main
from mien.words import choose


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


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_stands_in_columns(tmp_path: Path, capfd: pytest.CaptureFixture[str], language: str) -> None:
    from mien.artwork.drawings import draw_people
    from mien.pixels.images import write_image

    for letter in "AFLV":
        for i in range(2):
            path = tmp_path / "letters" / letter / f"hand1_{letter}_{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, draw_people()[:40, :40])
    table = tmp_path / "fer2013.csv"
    rows = (f"{i % 7},{' '.join(['7'] * 2304)},{usage}" for i, usage in enumerate(("Training", "PublicTest") * 7))
    table.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    for verb in (
        ["doctor"],
        ["models"],
        ["data", "asl", str(tmp_path / "letters"), str(tmp_path / "gestures"), "--first", "1"],
        ["data", "fer2013", str(table), str(tmp_path / "faces.npz"), "--layout", "packed"],
        ["data", "duplicates", str(tmp_path / "faces.npz")],
    ):
        assert main([*verb, "--plain", "--language", language]) == 0, verb
        lines = capfd.readouterr().out.splitlines()
        assert len(lines) > 3
        assert not [line for line in lines if "  " in line.strip()], verb


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


@pytest.mark.usefixtures("short_demo")
def test_demo_says_a_fact_per_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--plain"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("people.png: 3 faces")]
    assert [line for line in lines if "people.png: face 1: looks " in line]
    assert not [line for line in lines if line.count("%") > 1]


HEADER = ("name", "size", "licence", "来源")
ROWS = [("one", "3.6 MB", "Apache-2.0", "公开教程：会说话的表情和手势检测器，一步一步来"), ("two", "12 MB", "MIT", "")]


@pytest.mark.parametrize(
    ("width", "left"),
    [(200, HEADER), (46, HEADER), (45, ("name", "size", "来源")), (33, ("name", "size")), (5, ("name", "size"))],
)
def test_a_narrow_terminal_lacks_columns(width: int, left: tuple[str, ...]) -> None:
    terminal = Console(width=width, force_terminal=True)
    header, rows = narrowed(HEADER, ROWS, terminal, spare=(2, 3), folded=(3,))
    assert tuple(header) == left
    assert [len(row) for row in rows] == [len(left)] * 2
    assert narrowed(HEADER, ROWS, Console(width=width, file=io.StringIO()), spare=(2, 3))[0] == list(HEADER)


def test_nothing_is_left_out_of_plain_text() -> None:
    set_plain(True)
    terminal = Console(width=20, force_terminal=True)
    assert narrowed(HEADER, ROWS, terminal, spare=(2, 3), folded=(3,)) == (list(HEADER), [list(row) for row in ROWS])


def test_chinese_is_folded_between_its_characters() -> None:
    _, rows = narrowed(HEADER, ROWS, Console(width=47, force_terminal=True), spare=(2, 3), folded=(3,))
    lines = rows[0][3].split("\n")
    assert len(lines) > 1
    assert "".join(lines) == ROWS[0][3]
    assert max(map(cell_len, lines)) <= 47 - len("name  3.6 MB  Apache-2.0  ")
    assert not any(line.startswith(("，", "：")) for line in lines)


def test_further_lines_begin_below_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "used only for a stream whose address you give"
    assert indented(sentence, 10) == sentence  # no terminal here
    monkeypatch.setattr("mien.cli.console.plain.Console", lambda: Console(width=40, force_terminal=True))
    assert indented(sentence, 10) == "used only for a stream whose\n          address you give"
    path = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
    assert indented(path, 10) == path  # which people copy
    assert indented(sentence, 30) == sentence  # no room


@pytest.mark.parametrize(("language", "line"), [("en", "sets, equal: 3"), ("zh", "sets，equal：3")])
def test_tables_of_text_are_plain_too(language: str, line: str) -> None:
    choose(language)
    header, rows = ("", "equal", "near"), [("sets", 3, ""), ("copies", 1204, 7)]
    assert table_lines(header, rows)[0].split() == ["equal", "near"]
    set_plain(True)
    assert table_lines(header, rows)[0] == line
    assert len(table_lines(header, rows)) == 3
    assert table_lines(None, [("sets", 3)]) == ["sets: 3" if language == "en" else "sets：3"]

"""`mien demo` in a folder of its own, from the command line on."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
from pathlib import Path

import cv2
import pytest

from mien.artwork import drawings as artwork
from mien.cli.console.program import program
from mien.cli.main import main
from mien.pixels.images import read_image
from mien.records.writers import read_jsonl

PICTURES = ("people", "faces", "hands", "more_hands")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a finished demo, in which an older record lay, and what it said."""
    out = tmp_path_factory.mktemp("demo") / "new" / "mien-demo"
    out.mkdir(parents=True)
    (out / "demo.jsonl").write_text("old")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["demo", "--out", str(out), "--overwrite"]) == 0
    return out, said.getvalue()


@pytest.fixture
def folder(run: tuple[Path, str]) -> Path:
    return run[0]


def test_records_show_faces_and_hands(folder: Path) -> None:
    scenes = list(read_jsonl(folder / "demo.jsonl"))
    assert len(scenes) == len(PICTURES) + artwork.CLIP_FRAMES
    seen = {Path(scene.source).stem: scene for scene in scenes}
    assert len(seen["people"].faces) == 3
    assert len(seen["people"].hands) == 2
    assert len(seen["faces"].faces) == 6
    assert len(seen["hands"].hands) == len(seen["more_hands"].hands) == 6
    clip = [scene for scene in scenes if scene.source.endswith("clip.mp4")]
    assert [scene.frame for scene in clip] == list(range(artwork.CLIP_FRAMES))
    assert {face.track for scene in clip for face in scene.faces} == {1}
    assert sum(bool(scene.hands) for scene in clip) > artwork.CLIP_FRAMES / 2
    for line in (folder / "demo.jsonl").read_text().splitlines():
        assert {"source", "frame", "time_s", "size", "faces", "hands", "models"} == set(json.loads(line))


def test_pictures_are_written_with_and_without_marks(folder: Path) -> None:
    for name in PICTURES:
        drawing, marked = read_image(folder / f"{name}.png"), read_image(folder / f"{name}-annotated.jpg")
        assert drawing.shape == marked.shape
        assert (drawing != marked).any()


def test_the_clip_can_be_played(folder: Path) -> None:
    video = cv2.VideoCapture(str(folder / "clip.mp4"))
    frames = 0
    while video.read()[0]:
        frames += 1
    video.release()
    assert frames == artwork.CLIP_FRAMES


def test_nothing_half_written_stays(folder: Path) -> None:
    expected = {"README.txt", "demo.jsonl", "clip.mp4"}
    expected |= {f"{name}{end}" for name in PICTURES for end in (".png", "-annotated.jpg")}
    assert {path.name for path in folder.iterdir()} == expected


def test_it_says_what_it_saw_and_what_to_try(run: tuple[Path, str]) -> None:
    folder, said = run
    assert f"{folder / 'people.png'}: 3 faces" in said
    assert "6 hands" in said
    assert "clip.mp4 at 0.0 s: 1 face" in said
    head, _, commands = said.partition("Next, try:\n")
    assert "demo.jsonl" in head
    words = [shlex.split(line) for line in commands.splitlines()]
    start = shlex.split(program())
    assert [line[: len(start)] for line in words] == [start] * 3
    assert [line[len(start)] for line in words] == ["look", "look", "doctor"]


def test_a_file_in_the_way_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "taken"
    file.write_text("mine")
    assert main(["demo", "--out", str(file)]) == 1
    assert "it is a file; name a folder" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(["demo", "--out", str(file / "below")]) == 1
    assert "not a folder" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything can be written here")
def test_a_folder_without_permission_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tmp_path.chmod(0o500)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert "no permission" in capsys.readouterr().err


def test_a_full_disk_is_told_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(artwork, "draw_people", lambda: pytest.fail("work was done"))
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

"""Every kind of bad input: one clear sentence, the right exit code, and the rest still done."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mien.models.artifact import zoo_artifact
from mien.pixels.images import write_image
from mien.records.writers import read_jsonl

Run = Callable[..., object]


def jpeg(path: Path, drawn: NDArray[np.uint8]) -> bytes:
    write_image(path, drawn)
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated jpeg", "truncated png"])
def test_one_bad_file_is_named_and_the_good_one_is_done(
    mien: Run, photo: Path, drawn: NDArray[np.uint8], tmp_path: Path, kind: str
) -> None:
    bad = tmp_path / ("bad.png" if kind == "truncated png" else "bad.jpg")
    if kind == "empty":
        bad.write_bytes(b"")
    elif kind == "text":
        bad.write_text("dear diary, this is no picture\n" * 20)
    elif kind.startswith("truncated"):
        whole = jpeg(bad, drawn)
        bad.write_bytes(whole[: len(whole) // 2])
    ended = mien("look", bad, photo, "--jsonl", "-")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert sentence.startswith("mien: ")
    assert str(bad) in sentence
    assert [json.loads(line)["source"] for line in ended.out.splitlines()] == [str(photo)]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16", "P", "CMYK"])
def test_colours_of_all_kinds_are_read(mien: Run, drawn: NDArray[np.uint8], tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    if mode == "I;16":
        grey = np.asarray(Image.fromarray(drawn).convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(path)
    else:
        Image.fromarray(drawn).convert(mode).save(path)
    record = json.loads(mien("look", path, "--jsonl", "-").out)
    assert record["size"] == list(drawn.shape[:2])
    assert record["faces"], "the face is found whatever the colours"


def test_exif_rotation_is_applied(mien: Run, drawn: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned; a viewer turns the picture clockwise
    Image.fromarray(np.ascontiguousarray(np.rot90(drawn))).save(path, exif=exif, quality=95)
    record = json.loads(mien("look", path, "--jsonl", "-").out)
    assert record["size"] == list(drawn.shape[:2])
    assert record["faces"]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif"])
def test_an_animated_picture_is_a_video(mien: Run, drawn: NDArray[np.uint8], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    others = [Image.fromarray(np.full_like(drawn, level)) for level in (0, 90)]
    Image.fromarray(drawn).save(path, save_all=True, append_images=others, duration=[100, 400, 50])
    ended = mien("look", path, "--jsonl", "-", "--save", tmp_path / "saved")
    assert ended.code == 0
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert [record["time_s"] for record in records] == [0, 0.1, 0.5]
    assert [bool(record["faces"]) for record in records] == [True, False, False]
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["moving.mp4"]


def test_a_folder_as_people_have_it(
    mien: Run, drawn: NDArray[np.uint8], tmp_path: Path, heic: Callable[..., bytes]
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    jpeg(folder / "a.jpg", drawn)
    (folder / "from_browser.jfif").write_bytes((folder / "a.jpg").read_bytes())
    (folder / "link.jpg").symlink_to("a.jpg")
    (folder / "IMG_0001.HEIC").write_bytes(heic())
    (folder / "IMG_0002.CR2").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(99))
    (folder / "notes.txt").write_text("nothing to see")
    ended = mien("look", folder, "--jsonl", "-")
    assert ended.code == 1, "the RAW file cannot be read"
    sources = [Path(json.loads(line)["source"]).name for line in ended.out.splitlines()]
    assert sources == ["a.jpg", "from_browser.jfif", "IMG_0001.HEIC"]
    left_out, refused = ended.sentences
    assert left_out == "mien: Left out: 1 file that is no photo or video (.txt)."
    assert "IMG_0002.CR2: camera RAW (CR2)" in refused


def test_the_largest_picture_is_the_users_choice(mien: Run, photo: Path, drawn: NDArray[np.uint8]) -> None:
    pixels = drawn.shape[0] * drawn.shape[1]
    for verb in (("look",), ("classify", "emotion")):
        assert mien(*verb, photo, "--max-pixels", pixels).code == 0
        ended = mien(*verb, photo, "--max-pixels", pixels - 1)
        assert ended.code == 1
        (sentence,) = ended.sentences
        assert f"{drawn.shape[1]} x {drawn.shape[0]} pixels exceed the limit" in sentence
    assert mien("look", photo, "--max-pixels", "0").code == 2


def test_a_picture_of_one_pixel(mien: Run, tmp_path: Path) -> None:
    write_image(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    ended = mien("look", tmp_path / "dot.png", "--save", tmp_path / "saved")
    assert ended.code == 0
    assert "no face" in ended.out


@pytest.mark.slow
def test_a_picture_of_108_megapixels(mien: Run, drawn: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    Image.fromarray(drawn).resize((12_000, 9_000)).save(path, quality=60)
    ended = mien("look", path, "--jsonl", "-", "--save", tmp_path / "saved")
    assert ended.code == 0
    assert json.loads(ended.out)["size"] == [9_000, 12_000]
    assert json.loads(ended.out)["faces"]


@pytest.mark.parametrize("name", ["with spaces in it.png", "Gesichtsausdrücke 顔.png", "-dash.png"])
def test_names_of_all_kinds(mien: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    shutil.copy(photo, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    ended = mien("look", "--jsonl", "-", "--save", "saved", "--", name)
    assert ended.code == 0
    assert json.loads(ended.out)["source"] == name
    assert (tmp_path / "saved" / name).is_file()


def test_a_video_that_breaks_off_keeps_what_came(mien: Run, broken_clip: Path, tmp_path: Path) -> None:
    ended = mien("look", broken_clip, "--jsonl", tmp_path / "a.jsonl", "--save", tmp_path / "saved")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert str(broken_clip) in sentence
    frames = [scene.frame for scene in read_jsonl(tmp_path / "a.jsonl")]
    assert 0 < len(frames) < 60
    assert frames == list(range(len(frames)))
    assert (tmp_path / "saved" / f"{broken_clip.stem}.mp4").is_file()


def test_a_video_without_frames(mien: Run, tmp_path: Path) -> None:
    path = tmp_path / "none.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x00\x00\x00\x08moov")
    ended = mien("look", path)
    assert ended.code == 1
    assert len(ended.sentences) == 1
    assert str(path) in ended.err


def test_a_folder_with_nothing_readable(mien: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing to see")
    ended = mien("look", tmp_path / "empty")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "empty" in sentence


def test_an_output_folder_that_cannot_be_made(mien: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = mien("look", photo, "--save", tmp_path / "file" / "saved")
    assert ended.code == 1
    assert len(ended.sentences) == 1
    ended = mien("look", photo, "--jsonl", tmp_path / "file" / "a.jsonl")
    assert ended.code == 1
    assert len(ended.sentences) == 1


def test_no_permission_to_write(mien: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, who may write everywhere, so the system's answer is played.
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    ended = mien("look", photo, "--save", tmp_path / "saved")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "ermission denied" in sentence


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_while_records_are_written(mien_process: Run, photo: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mien", "look", str(photo), "--jsonl", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("mien: ")


def test_a_full_disk_while_a_picture_is_saved(
    mien: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fill)
    monkeypatch.setattr(Path, "replace", fill)
    ended = mien("look", photo, "--save", tmp_path / "saved")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "the disk is full" in sentence
    assert not list((tmp_path / "saved").iterdir()), "nothing half-written stays"


def test_ctrl_c_leaves_what_is_done_readable(mien_process: Run, long_clip: Path, tmp_path: Path) -> None:
    process = mien_process("look", long_clip, "--jsonl", tmp_path / "a.jsonl", "--save", tmp_path / "saved")
    part = tmp_path / "a.jsonl.part"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not part.exists() or part.read_bytes().count(b"\n") < 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines() == ["mien: interrupted; what was finished is saved."]
    frames = [scene.frame for scene in read_jsonl(tmp_path / "a.jsonl")]
    assert len(frames) >= 3
    assert frames == list(range(len(frames)))
    assert (tmp_path / "saved" / "long.mp4").stat().st_size > 1000
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("look", "PHOTO", "--task", "emotoin"), "emotion"),
        (("classify", "gestures", "PHOTO"), "gesture"),
        (("look", "PHOTO", "--emotion-model", "emotion_residul"), "emotion_residual"),
        (("models", "gesture_landmarks"), "gesture_landmark"),
        (("look", "PHOTO", "--task", ""), "emotion"),
    ],
)
def test_unknown_names_are_wrong_use(mien: Run, photo: Path, words: tuple[str, ...], near: str) -> None:
    ended = mien(*(str(photo) if word == "PHOTO" else word for word in words))
    assert ended.code in (1, 2) if words[-1] == "" else ended.code == 2
    (sentence,) = ended.sentences
    assert near in sentence


@pytest.mark.parametrize(
    "words", [("look",), ("nothing",), ("look", "x.jpg", "--every", "0"), ("look", "--wrong", "x")]
)
def test_wrong_use_is_two(mien: Run, words: tuple[str, ...]) -> None:
    ended = mien(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("damage", ["weights", "manifest", "labels", "card"])
def test_a_damaged_model_folder_is_refused(mien: Run, photo: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(zoo_artifact("emotion_residual").folder, folder)
    if damage == "weights":
        weights = bytearray((folder / "model.onnx").read_bytes())
        weights[len(weights) // 2] ^= 0xFF
        (folder / "model.onnx").write_bytes(weights)
    elif damage == "card":
        (folder / "CARD.md").unlink()
    else:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        if damage == "manifest":
            del manifest["threshold"]
        else:
            manifest["labels"] = "moods"
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    ended = mien("look", photo, "--emotion-model", folder)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert str(folder) in sentence


def test_a_model_for_another_task_is_refused(mien: Run, photo: Path) -> None:
    ended = mien("look", photo, "--emotion-model", "gesture_landmark")
    assert ended.code == 1
    assert "gesture" in ended.err


def test_two_records_for_one_file_are_refused(mien: Run, photo: Path) -> None:
    assert mien("look", photo, "--jsonl", "-", "--csv", "-").code == 2


def test_a_reader_that_goes_away_is_no_error(mien_process: Run, long_clip: Path) -> None:
    process = mien_process("look", long_clip, "--jsonl", "-")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 0

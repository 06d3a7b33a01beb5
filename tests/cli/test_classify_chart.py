from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.pixels.images import read_image, write_image

Run = Callable[..., object]


def test_one_picture_for_all_images(mien: Run, photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    write_image(other, np.full((30, 90, 3), 200, np.uint8))
    ended = mien("classify", "emotion", photo, other, "--chart", tmp_path / "charts" / "out.png")
    assert ended.code == 0
    assert len(ended.out.splitlines()) == 2
    one = mien("classify", "emotion", photo, "--chart", tmp_path / "one.png")
    assert one.code == 0
    height = read_image(tmp_path / "one.png").shape[0]
    assert read_image(tmp_path / "charts" / "out.png").shape[0] == 2 * height


def test_a_folder_gets_a_picture_each_and_bad_files_are_skipped(mien: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    shutil.copy(photo, tmp_path / "b" / "GOOD.png")
    (tmp_path / "bad.jpg").write_text("no picture")
    ended = mien(
        "classify", "gesture", photo, tmp_path / "bad.jpg", tmp_path / "b" / "GOOD.png", "--chart", tmp_path / "c"
    )
    assert ended.code == 1
    assert len(ended.sentences) == 1
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["GOOD-2.png", "good.png"]


def test_records_on_stdout_are_not_disturbed(mien: Run, photo: Path, tmp_path: Path) -> None:
    ended = mien("classify", "emotion", photo, "--jsonl", "-", "--chart", tmp_path / "c.png")
    assert list(json.loads(ended.out)) == ["source", "label", "confidence", "uncertain", "grade", "scores", "model"]


@pytest.mark.parametrize("task", ["emotion", "gesture"])
def test_find_reads_what_look_reads(mien: Run, photo: Path, tmp_path: Path, task: str) -> None:
    record = json.loads(mien("classify", task, photo, "--find", "--jsonl", "-", "--chart", tmp_path / "c.png").out)
    scene = json.loads(mien("look", photo, "--task", task, "--jsonl", "-").out)
    seen = (scene["faces"] + scene["hands"])[0]
    assert record["box"] == pytest.approx(seen["box"], abs=0.01)
    assert {key: record[key] for key in ("label", "confidence", "scores")} == {
        key: seen[key] for key in ("label", "confidence", "scores")
    }
    assert record["model"] == scene["models"][task]


def test_find_takes_the_largest(mien: Run, photo: Path, tmp_path: Path) -> None:
    picture = read_image(photo)
    small = picture[::2, ::2]
    both = np.full((picture.shape[0], picture.shape[1] + small.shape[1], 3), 127, np.uint8)
    both[: small.shape[0], : small.shape[1]] = small
    both[:, small.shape[1] :] = picture
    write_image(tmp_path / "both.png", both)
    box = json.loads(mien("classify", "emotion", tmp_path / "both.png", "--find", "--jsonl", "-").out)["box"]
    assert box[0] > small.shape[1], "the face at the right is twice as large"


def test_find_says_when_there_is_nothing(mien: Run, photo: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", np.full((200, 200, 3), 128, np.uint8))
    ended = mien("classify", "emotion", tmp_path / "grey.png", photo, "--find", "--chart", tmp_path / "c.png")
    assert ended.code == 1
    assert "No face was found" in ended.err
    assert len(ended.out.splitlines()) == 1
    assert (tmp_path / "c.png").is_file()


def test_a_chart_never_replaces_an_image(mien: Run, photo: Path) -> None:
    before = photo.read_bytes()
    for target in (photo, photo.parent):
        ended = mien("classify", "emotion", photo, "--chart", target)
        assert ended.code == 2
        assert "would replace the input" in ended.err
    assert photo.read_bytes() == before


def test_too_many_for_one_picture(mien: Run, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    for i in range(51):
        write_image(folder / f"{i}.png", np.zeros((4, 4, 3), np.uint8))
    ended = mien("classify", "emotion", folder, "--chart", tmp_path / "c.png")
    assert ended.code == 2
    assert "name a folder" in ended.err


@pytest.mark.data
def test_real_photos_of_any_size(mien: Run, media: Path, tmp_path: Path) -> None:
    """Photos from the internet as they are: the face is found, and the answer is the photo's expression."""
    ended = mien(
        "classify", "emotion", media / "0-f1-su-ph.jpg", media / "0-f15-hao-ph.jpg", "--find",
        "--chart", tmp_path / "c.png", "--jsonl", "-",
    )  # fmt: skip
    assert [json.loads(line)["label"] for line in ended.out.splitlines()] == ["surprise", "happy"]
    assert (tmp_path / "c.png").is_file()

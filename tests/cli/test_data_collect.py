from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.readers.load import load_dataset
from mien.pixels.images import write_image
from mien.words import say

Run = Callable[..., object]


def collected(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))


def test_a_photo_of_a_face(mien: Run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "own"
    ended = mien("data", "collect", out, "--task", "emotion", "--label", "happy", "--from", photo, "--person", "anna")
    assert ended.code == 0
    assert ended.sentences == [say("data.collect.consent")]
    assert ended.out == f"kept 1 of 1 picture as happy of anna, 1 now in {out / 'happy'}\n"
    dataset = load_dataset(out)
    assert dataset.samples.shape == (1, 48, 48)
    assert dataset.groups.tolist() == ["anna"]
    assert dataset.label_set.name == "emotions"


def test_a_hand_of_a_video_and_again(mien: Run, clip: Path, tmp_path: Path) -> None:
    words = ("data", "collect", tmp_path / "own", "--task", "gesture", "--label", "V", "--from", clip)
    first = mien(*words, "--person", "anna", "--every", 3)
    assert first.code == 0
    kept = collected(tmp_path / "own")
    assert 1 <= len(kept) <= 4
    assert kept[0] == "victory/anna_0001.png"
    again = mien(*words, "--person", "anna", "--every", 3)
    assert again.code == 0
    assert again.out.startswith("kept 0 of 4 pictures")
    assert "too similar to a kept one 4" in again.out
    assert collected(tmp_path / "own") == kept
    other = mien(*words, "--person", "ben", "--count", 1)
    assert other.code == 0
    assert set(load_dataset(tmp_path / "own").groups.tolist()) == {"anna", "ben"}


def test_a_folder_with_bad_files_and_without_its_own_shots(mien: Run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "party"
    folder.mkdir()
    photo.rename(folder / "good.png")
    (folder / "bad.jpg").write_text("no picture")
    write_image(folder / "wall.png", np.full((200, 200, 3), 120, np.uint8))
    words = ("data", "collect", folder / "own", "--task", "emotion", "--label", "sad", "--from", folder)
    for run in range(2):
        ended = mien(*words, "--person", "anna")
        assert ended.code == 1
        assert "bad.jpg" in ended.sentences[-1]
        assert f"kept {1 - run} of 2 pictures" in ended.out
        assert "no face 1" in ended.out
    assert collected(folder / "own") == ["sad/anna_0001.png"]


def test_a_session_is_the_group_when_nobody_can_be_asked(mien: Run, photo: Path, tmp_path: Path) -> None:
    mien("data", "collect", tmp_path / "own", "--task", "emotion", "--label", "happy", "--from", photo)
    (group,) = load_dataset(tmp_path / "own").groups.tolist()
    assert group.startswith("session-20")
    assert json.loads((tmp_path / "own/dataset.json").read_text())["consent"][0]["person"] == group


def test_nothing_kept_is_said(mien: Run, tmp_path: Path) -> None:
    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 120, np.uint8))
    words = ("--task", "emotion", "--label", "happy", "--from", tmp_path / "wall.png", "--person", "anna")
    ended = mien("data", "collect", tmp_path / "own", *words)
    assert ended.code == 1
    assert "Nothing was kept" in ended.sentences[-1]
    assert not (tmp_path / "own").exists()


def test_a_camera_stops_at_the_count(
    mien: Run, drawn: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Camera:
        """The drawn person, who moves, before OpenCV's camera."""

        def __init__(self, index: int) -> None:
            self.index, self.taken = index, 0

        def isOpened(self) -> bool:  # noqa: N802
            return self.index == 0

        def grab(self) -> bool:
            self.taken += 1
            return True

        def read(self) -> tuple[bool, NDArray[np.uint8]]:
            self.taken += 1
            height, width = drawn.shape[:2]
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), 0, 1 - 0.02 * (self.taken % 8))
            moved = cv2.warpAffine(drawn, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
            bright = np.clip(moved * np.linspace(0.5 + 0.06 * self.taken, 1, width)[:, None], 0, 255)
            return True, np.ascontiguousarray(bright.astype(np.uint8)[..., ::-1])

        def release(self) -> None:
            pass

    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    words = ("data", "collect", tmp_path / "own", "--task", "emotion", "--label", "happy", "--person", "anna")
    ended = mien(*words, "--from", 0, "--count", 2)
    assert ended.code == 0
    assert ended.out.startswith("kept 2 of ")
    assert len(collected(tmp_path / "own")) == 2
    absent = mien(*words, "--from", 1)
    assert absent.code == 1
    assert "Cannot open camera 1" in absent.sentences[-1]


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("--label", "hapy"), 2, "'happy'"),
        (("--label", "a/b", "--any-label"), 1, "plain word"),
        (("--task", "mood"), 2, "no task 'mood'"),
        (("--colour", "blue"), 2, "no colour"),
        (("--person", " "), 2, "--person"),
        (("--count", "0"), 2, "--count"),
        (("--from", "none.jpg"), 1, "no such file"),
    ],
)
def test_wrong_use(mien: Run, photo: Path, tmp_path: Path, words: tuple[str, ...], code: int, reason: str) -> None:
    usual = {"--task": "emotion", "--label": "happy", "--from": str(photo), "--person": "anna"}
    given = dict(zip(words[::2], words[1::2], strict=False))
    flags = words[2:] if len(words) == 3 else ()
    ended = mien("data", "collect", tmp_path / "own", *(x for pair in (usual | given).items() for x in pair), *flags)
    assert ended.code == code
    assert reason in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "own").exists()


def test_a_label_of_ones_own(mien: Run, photo: Path, tmp_path: Path) -> None:
    words = ("data", "collect", tmp_path / "own", "--task", "emotion", "--from", photo, "--person", "anna")
    assert mien(*words, "--label", "bored", "--any-label").code == 0
    assert load_dataset(tmp_path / "own").label_set.labels == ("bored",)


def test_ctrl_c_keeps_what_is_finished(mien_process: Run, long_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "own"
    words = ("--task", "emotion", "--label", "happy", "--from", long_clip, "--person", "anna")
    process = mien_process("data", "collect", out, *words)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(out.rglob("*.png")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines() == [say("data.collect.consent"), "mien: interrupted; what was finished is saved."]
    assert said.startswith("kept ")
    dataset = load_dataset(out)
    assert set(dataset.groups.tolist()) == {"anna"}
    assert not list(out.rglob("*.part"))

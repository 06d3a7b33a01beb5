from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.errors import InputError, MienError, UnreadableMedia
from mien.outputs.video import VideoWriter
from mien.pixels.images import write_image
from mien.scene import Frame
from mien.teach import ExampleReader, examples
from mien.teach.examples import takes_of

Draw = Callable[..., list[NDArray[np.uint8]]]


@pytest.fixture(scope="module")
def reader() -> Iterator[ExampleReader]:
    with ExampleReader(threads=1) as reader:
        yield reader


def video(path: Path, pictures: list[NDArray[np.uint8]], fps: float = 5.0) -> Path:
    with VideoWriter(path, fps, (320, 320)) as writer:
        for picture in pictures:
            writer.write(picture)
    return path


def photos(folder: Path, pictures: list[NDArray[np.uint8]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        write_image(folder / f"{i}.png", picture)
    return folder


def test_the_hand_of_a_picture_and_what_the_package_takes_it_for(reader: ExampleReader, drawn: Draw) -> None:
    (picture,) = drawn("victory", 1, first=1)
    scene = reader.scene(Frame(picture, still=True))
    assert [hand.label for hand in scene.hands] == ["victory"]
    assert reader.scene(Frame(np.full_like(picture, 90), still=True)).hands == ()


def test_a_video_is_a_take_and_so_are_the_photos_of_a_folder(
    tmp_path: Path, reader: ExampleReader, drawn: Draw
) -> None:
    video(tmp_path / "in" / "a.mp4", drawn("none", 14))
    photos(tmp_path / "in" / "indoors", drawn("none", 14, first=20))
    photos(tmp_path / "in" / "outdoors", drawn("none", 13, first=40))
    steps: list[int] = []
    takes = takes_of(str(tmp_path / "in"), "three", reader, on_step=steps.append)
    assert sorted((take.kind, len(take.samples)) for take in takes) == [("photos", 13), ("photos", 14), ("video", 14)]
    assert {take.label for take in takes} == {"three"}
    assert steps == list(range(1, 42))


def test_other_hands_in_the_pictures_are_told(tmp_path: Path, reader: ExampleReader, drawn: Draw) -> None:
    small = [cv2.copyMakeBorder(p[::2, ::2], 80, 80, 0, 0, cv2.BORDER_REPLICATE) for p in drawn("palm", 13, first=20)]
    alone = drawn("none", 13)
    both = [
        np.hstack([p, np.asarray(s, np.uint8)]) if i % 2 else p
        for i, (p, s) in enumerate(zip(alone, small, strict=True))
    ]
    photos(tmp_path / "in", both)
    notes: list[str] = []
    (take,) = takes_of(str(tmp_path / "in"), "three", reader, on_note=notes.append)
    assert notes == [f"{tmp_path / 'in'} shows more than one hand in 6 of 13 pictures; the largest was learned."]
    assert len(take.samples) == 13


def test_ten_frames_per_second_of_a_video_are_looked_at(tmp_path: Path, reader: ExampleReader, drawn: Draw) -> None:
    steps: list[int] = []
    pictures = [picture for picture in drawn("none", 16) for _ in range(3)]
    takes_of(str(video(tmp_path / "a.mp4", pictures, fps=30)), "three", reader, on_step=steps.append)
    assert 15 <= steps[-1] <= 17


def test_too_little_is_said_with_what_there_is(tmp_path: Path, reader: ExampleReader, drawn: Draw) -> None:
    with pytest.raises(InputError, match="No hand was seen in 12 frames"):
        takes_of(str(video(tmp_path / "wall.mp4", 12 * [np.full((320, 320, 3), 90, np.uint8)])), "x", reader)
    still = video(tmp_path / "still.mp4", 20 * drawn("none", 1))
    with pytest.raises(InputError, match=r"has [1-3] different examples? in 20 frames, but at least 10"):
        takes_of(str(still), "x", reader)
    with pytest.raises(InputError, match="different examples in 4 pictures"):
        takes_of(str(photos(tmp_path / "few", drawn("none", 4))), "x", reader)
    with pytest.raises(UnreadableMedia, match="no such file"):
        takes_of(str(tmp_path / "nothing.mp4"), "x", reader)


def test_a_bad_file_is_told_and_the_others_are_done(tmp_path: Path, reader: ExampleReader, drawn: Draw) -> None:
    folder = photos(tmp_path / "in", drawn("none", 14))
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    problems: list[MienError] = []
    (take,) = takes_of(str(folder), "x", reader, on_problem=problems.append)
    assert len(take.samples) == 14
    assert len(problems) == 1
    assert "broken.png" in str(problems[0])
    with pytest.raises(UnreadableMedia, match=r"broken\.png"):
        takes_of(str(folder), "x", reader)


def test_a_video_that_breaks_off_teaches_what_it_has(tmp_path: Path, reader: ExampleReader, drawn: Draw) -> None:
    cut = video(tmp_path / "cut.mp4", drawn("none", 40))
    data = cut.read_bytes()
    cut.write_bytes(data[: int(0.7 * len(data))])
    problems: list[MienError] = []
    (take,) = takes_of(str(cut), "x", reader, on_problem=problems.append)
    assert 15 <= len(take.samples) < 40
    assert [type(problem) for problem in problems] == [UnreadableMedia]
    assert "is truncated" in str(problems[0])
    assert "were kept" in str(problems[0])
    with pytest.raises(UnreadableMedia, match="truncated"):
        takes_of(str(cut), "x", reader)
    cut.write_bytes(data[:200])
    with pytest.raises(UnreadableMedia):
        takes_of(str(cut), "x", reader, on_problem=problems.append)


def test_of_very_many_photos_some_are_looked_at(
    tmp_path: Path, reader: ExampleReader, drawn: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MOST_PICTURES", 13)
    photos(tmp_path / "in" / "many", drawn("none", 16))
    photos(tmp_path / "in" / "few", drawn("none", 12, first=40))
    video(tmp_path / "in" / "long.mp4", drawn("none", 15, first=60))
    steps: list[int] = []
    notes: list[str] = []
    takes = takes_of(str(tmp_path / "in"), "three", reader, on_step=steps.append, on_note=notes.append)
    assert sorted((take.kind, len(take.samples)) for take in takes) == [("photos", 12), ("photos", 13), ("video", 13)]
    assert steps[-1] == 12 + 13 + 13
    many, long = notes
    assert many.endswith("many has 16 photos; 13 of them, evenly spaced, are looked at.")
    assert long.endswith("long.mp4 is long: only the first 13 frames are looked at.")

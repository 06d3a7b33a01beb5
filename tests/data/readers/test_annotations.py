from __future__ import annotations

from pathlib import Path

import pytest

from mien.data.readers.annotations import FrameNumbers, box_of, eyes_of, read_labels
from mien.errors import DataError, UnreadableMedia

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_numbers_of_named_classes(tmp_path: Path) -> None:
    path = text(tmp_path / "a.txt", f"{HEADER}\n0\n4\n-1\n\n7\n\n\n")
    assert read_labels(path) == ("Neutral", "Happiness", "", "", "Other")


def test_a_name_a_line(tmp_path: Path) -> None:
    assert read_labels(text(tmp_path / "a.txt", "-1\nhappy\n\nsad\n")) == ("", "happy", "", "sad")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("valence,arousal\n0.1,0.2\n", "valence and arousal"),
        ("0.1,0.2\n0.1,0.2\n", "valence and arousal"),
        ("0.5\n-0.25\n", "valence and arousal"),
        ("AU1,AU2,AU4\n0,1,0\n", "action units"),
        ("0\n4\n", "no first line that names them"),
        (f"{HEADER}\n0\n8\n", "line 3: '8' is not the number of a class"),
        (f"{HEADER}\n0\nhappy\n", "line 3: 'happy' is not the number of a class"),
    ],
)
def test_other_annotations_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read_labels(text(tmp_path / "a.txt", content))


def test_a_folder_called_valence_holds_no_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="valence and arousal"):
        read_labels(text(tmp_path / "valence/a.txt", "1\n0\n"))


def test_annotations_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match="no such file"):
        read_labels(tmp_path / "a.txt")


@pytest.mark.parametrize("content", ["1,2,3,4\n5 6 7.5 -8\n", "x1,y1,x2,y2\n1,2,3,4\n5,6,7.5,-8\n"])
def test_numbers_a_line(tmp_path: Path, content: str) -> None:
    numbers = FrameNumbers(text(tmp_path / "a.txt", content))
    assert [numbers.of_frame(i) for i in range(3)] == [(1, 2, 3, 4), (5, 6, 7.5, -8), ()]


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_a_file(tmp_path: Path, first: int) -> None:
    for i in range(2):
        text(tmp_path / f"box/{first + i}.pts", f"version: 1\nn_points: 2\n{{\n{i} 2\n3 4e1\n}}\n")
    numbers = FrameNumbers(tmp_path / "box")
    assert [numbers.of_frame(i) for i in range(3)] == [(0, 2, 3, 40), (1, 2, 3, 40), ()]


def test_a_box_is_around_two_or_four_corners() -> None:
    assert box_of((1, 2, 3, 4)) == (1, 2, 3, 4)
    assert box_of((3, 4, 1, 2)) == (1, 2, 3, 4)
    assert box_of((1, 2, 3, 2, 3, 4, 1, 4)) == (1, 2, 3, 4)


@pytest.mark.parametrize("numbers", [(), (0, 0, 0, 0), (1, 2, 3), (1, 2, 1, 4), (1, 2, float("nan"), 4)])
def test_no_box(numbers: tuple[float, ...]) -> None:
    assert box_of(numbers) is None


def test_eyes_are_the_middles_of_their_six_points() -> None:
    points = [(float(i), float(100 + i)) for i in range(68)]
    flat = tuple(value for point in points for value in point)
    assert eyes_of(flat) == ((38.5, 138.5), (44.5, 144.5))
    assert eyes_of(flat[:10]) == ()

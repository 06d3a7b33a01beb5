from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.crops import Cropper, crop_spec
from mien.data.readers.frames import Clip, find_clips, has_frames_layout, load_frames, steps_of
from mien.errors import DataError, MienError
from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES
from mien.outputs.video import VideoWriter
from mien.pixels.images import write_image
from mien.scene import Face

HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
SIDE = 20


class Squares:
    """Finds a face at each bright square of 20 pixels whose corner is a multiple of 20."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image_rgb: NDArray[np.uint8]) -> Sequence[Face]:
        self.calls += 1
        height, width = image_rgb.shape[:2]
        corners = [(x, y) for y in range(0, height, SIDE) for x in range(0, width, SIDE)]
        bright = [(x, y) for x, y in corners if image_rgb[y + 5 : y + 15, x + 5 : x + 15].mean() > 120]
        return [Face(box_xyxy=(x, y, x + SIDE, y + SIDE), detection_score=0.9) for x, y in bright]

    def close(self) -> None:
        pass


@pytest.fixture
def cropper() -> Cropper:
    return Cropper("emotion", crop_spec("emotion"), detector=Squares())


def frame(*corners_xy: tuple[int, int], value: int = 220) -> NDArray[np.uint8]:
    image = np.zeros((60, 80, 3), np.uint8)
    for x, y in corners_xy:
        image[y : y + SIDE, x : x + SIDE] = value
    return image


def clip(
    root: Path, name: str, labels: Sequence[object], frames: Sequence[NDArray[np.uint8]], inside: str = ""
) -> None:
    """Pictures of a video as a folder, and its annotations in Aff-Wild2's form."""
    for i, image in enumerate(frames, 1):
        write_image(root / "videos" / name / f"{i:05d}.png", image)
    path = root / "annotations" / inside / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *map(str, labels)]) + "\n")


def note(root: Path, name: str, *lines: str) -> None:
    path = root / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_labelled_frames_with_a_face_become_samples(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "b.1", [4, -1, 0, 7, 5], [frame((20, 20))] * 4 + [frame()], inside="EXPR/Train_Set")
    clip(tmp_path, "a", [1], [frame((40, 20))] * 3, inside="EXPR/Validation_Set")
    assert has_frames_layout(tmp_path)
    clips = find_clips(tmp_path)
    assert steps_of(clips, every=2) == 4
    steps: list[int] = []
    frames = load_frames(clips, cropper, on_step=steps.append)
    dataset = frames.dataset
    assert dataset.samples.shape == (3, 48, 48)
    assert [EMOTIONS.labels[i] for i in dataset.labels] == ["happy", "neutral", "angry"]
    assert dataset.split.tolist() == ["train", "train", "validation"]
    assert dataset.groups.tolist() == ["b.1", "b.1", "a"]
    assert dataset.names is not None
    assert dataset.names.tolist() == ["b.1-000000.png", "b.1-000002.png", "a-000000.png"]
    assert frames.left_out == {"not annotated": 3, "Other": 1, "no face": 1}
    assert steps == list(range(1, 9))
    assert dataset.samples[0].mean() > 120, "the crop shows the bright square and its margin"


def test_every_nth_frame_of_a_video_file(tmp_path: Path, cropper: Cropper) -> None:
    (tmp_path / "videos").mkdir()
    with VideoWriter(tmp_path / "videos/v.mp4", 5.0, (60, 80)) as video:
        for _ in range(7):
            video.write(frame((20, 20)))
    note(tmp_path, "annotations/v", HEADER, *"4444400")
    dataset = load_frames(find_clips(tmp_path), cropper, every=3).dataset
    assert dataset.names is not None
    assert dataset.names.tolist() == [f"v-{i:06d}.png" for i in (0, 3, 6)]
    assert [EMOTIONS.labels[i] for i in dataset.labels] == ["happy", "happy", "neutral"]


def test_boxes_of_the_data_are_cut_and_zeros_are_none(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "v", [4, 4, 4], [frame((20, 20))] * 3)
    note(tmp_path, "bboxes/v", "40,20,60,40", "0,0,0,0", "20,20,40,40")
    frames = load_frames(find_clips(tmp_path), cropper)
    assert frames.left_out == {"no box": 1}
    dark, bright = frames.dataset.samples
    assert dark[:, 24:].max() == 0, "the box is beside the square"
    assert bright[24, 24] > 200


def test_a_found_face_must_be_where_the_box_is(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "v", [4, 4], [frame((0, 0), (40, 20))] * 2)
    note(tmp_path, "bboxes/v", "38,18,63,43", "0,40,20,60")
    frames = load_frames(find_clips(tmp_path), cropper, detect=True)
    assert frames.left_out == {"no face": 1}
    assert frames.several == 0
    np.testing.assert_array_equal(frames.dataset.samples[0], cropper.cut_box(frame((0, 0), (40, 20)), (40, 20, 60, 40)))


def test_landmarks_level_the_eyes(tmp_path: Path, cropper: Cropper) -> None:
    image = frame((20, 20))
    image[20:30, 20:30] = 120
    clip(tmp_path, "v", [4], [image])
    note(tmp_path, "bboxes/v", "20,20,40,40")
    level = load_frames(find_clips(tmp_path), cropper).dataset.samples[0]
    points = [(0.0, 0.0)] * 36 + [(25.0, 25.0)] * 6 + [(25.0, 35.0)] * 6 + [(0.0, 0.0)] * 20
    note(tmp_path, "landmarks/v", " ".join(f"{x} {y}" for x, y in points))
    turned = load_frames(find_clips(tmp_path), cropper).dataset.samples[0]
    assert np.abs(turned.astype(int) - np.rot90(level)).mean() < np.abs(turned.astype(int) - level).mean()


def test_without_detection_frames_are_taken_whole(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "v", [4], [np.full((30, 30, 3), 77, np.uint8)])
    assert (load_frames(find_clips(tmp_path), cropper, detect=False).dataset.samples == 77).all()


def test_of_several_faces_the_largest_is_taken_and_counted(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "v", [4, 4], [frame((0, 0), (60, 40)), frame((0, 0))])
    assert load_frames(find_clips(tmp_path), cropper).several == 1


def test_annotations_of_one_of_two_people_take_that_side(tmp_path: Path, cropper: Cropper) -> None:
    image = frame((0, 20), value=150)
    image[20:40, 60:80] = 250
    clip(tmp_path, "duo", [-1], [image])
    note(tmp_path, "annotations/duo_left", HEADER, "4")
    note(tmp_path, "annotations/duo_right", HEADER, "5")
    dataset = load_frames(find_clips(tmp_path), cropper).dataset
    assert set(dataset.groups.tolist()) == {"duo"}, "both are in one video, so they share a split"
    assert [EMOTIONS.labels[i] for i in dataset.labels] == ["happy", "sad"]
    assert [int(sample[24, 24]) for sample in dataset.samples] == [150, 250]


def test_contempt_makes_eight_emotions_and_hands_have_gestures(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "v", [], [frame((20, 20))])
    note(tmp_path, "annotations/v", "contempt")
    assert load_frames(find_clips(tmp_path), cropper).dataset.label_set is EMOTIONS_8
    note(tmp_path, "annotations/v", "V")
    hands = Cropper("gesture", crop_spec("gesture"), detector=Squares())
    dataset = load_frames(find_clips(tmp_path), hands).dataset
    assert dataset.label_set is GESTURES
    assert dataset.samples.shape == (1, 100, 100, 3)


def test_annotations_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    clip(tmp_path, "good", [4], [frame((20, 20))])
    note(tmp_path, "annotations/lost", HEADER, "4")
    note(tmp_path, "annotations/va", "valence,arousal", "0.1,0.2")
    write_image(tmp_path / "videos/va/1.png", frame())
    note(tmp_path, "annotations/Validation_Set/good", HEADER, "4")
    problems: list[MienError] = []
    assert [found.name for found in find_clips(tmp_path, on_problem=problems.append)] == ["good"]
    told = "\n".join(map(str, problems))
    for sentence in ("no video called lost", "valence and arousal", "other annotations of that name"):
        assert sentence in told


def test_valence_and_arousal_alone_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "videos/va/1.png", frame())
    note(tmp_path, "annotations/va", "valence,arousal", "0.1,0.2")
    with pytest.raises(DataError, match="no usable labels of expressions"):
        find_clips(tmp_path, on_problem=[].append)


@pytest.mark.parametrize("folder", ["videos", "annotations"])
def test_another_layout_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    assert not has_frames_layout(tmp_path)
    with pytest.raises(DataError, match="layout of Aff-Wild"):
        find_clips(tmp_path)


def test_a_damaged_video_is_told_and_the_others_are_read(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "good", [4], [frame((20, 20))])
    (tmp_path / "videos/bad.mp4").write_text("no video")
    note(tmp_path, "annotations/bad", HEADER, "4")
    problems: list[MienError] = []
    dataset = load_frames(find_clips(tmp_path), cropper, on_problem=problems.append).dataset
    assert dataset.groups.tolist() == ["good"]
    assert "bad.mp4" in str(problems[0])


def test_nothing_left_says_why(tmp_path: Path, cropper: Cropper) -> None:
    clip(tmp_path, "v", [4, -1], [frame(), frame()])
    with pytest.raises(DataError, match="no face 1, not annotated 1"):
        load_frames(find_clips(tmp_path), cropper)


def test_frames_are_looked_at_only_where_there_is_a_label(tmp_path: Path) -> None:
    clip(tmp_path, "v", [-1, 7, 4, -1], [frame((20, 20))] * 4)
    squares = Squares()
    load_frames(find_clips(tmp_path), Cropper("emotion", crop_spec("emotion"), detector=squares))
    assert squares.calls == 1


def test_a_clip_knows_its_parts(tmp_path: Path) -> None:
    clip(tmp_path, "v", [4], [frame()], inside="Test_Set")
    assert find_clips(tmp_path) == [Clip("v", tmp_path / "videos/v", ("Happiness",), "test", "v")]

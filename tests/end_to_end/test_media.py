"""Real photos and clips, through the command, with what a person sees in them."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from mien.cli.main import main

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def records(media: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    """What `mien look` writes about every photo and clip, by file name."""
    folder = tmp_path_factory.mktemp("seen")
    assert (
        main(["look", str(media), "--jsonl", str(folder / "a.jsonl"), "--save", str(folder / "saved"), "--quiet"]) == 0
    )
    by_name = defaultdict(list)
    for line in (folder / "a.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        by_name[Path(record["source"]).name].append(record)
    photos_and_clips = {path.name for path in media.iterdir() if path.suffix in {".jpg", ".mp4", ".mov"}}
    assert set(by_name) == photos_and_clips
    assert len(list((folder / "saved").iterdir())) == len(photos_and_clips)
    return by_name


FACES = {
    "single_face.jpg": 1,
    "multi_face.jpg": 5,
    "justin.jpg": 1,
    "0-f1-su-ph.jpg": 1,
    "0-f15-hao-ph.jpg": 1,
    "15-f13-anc-ph.jpg": 1,
    "45-m7-di-ph.jpg": 1,
    "no-faces.jpg": 0,
    "no_face_mountain.jpg": 0,
}


@pytest.mark.parametrize(("name", "faces"), FACES.items())
def test_every_face_and_no_other(records: dict[str, list[dict]], name: str, faces: int) -> None:
    (record,) = records[name]
    assert len(record["faces"]) == faces


@pytest.mark.parametrize("name", ["hand_open.jpg", "hand_thumb_up.jpg"])
def test_hands_in_photos(records: dict[str, list[dict]], name: str) -> None:
    (record,) = records[name]
    assert record["hands"]


def test_the_hand_of_the_clip_is_seen_throughout(records: dict[str, list[dict]]) -> None:
    seen = [bool(record["hands"]) for record in records["hand_video.mp4"]]
    assert sum(seen) >= 0.95 * len(seen)


def test_a_clip_without_faces(records: dict[str, list[dict]]) -> None:
    assert not any(record["faces"] for record in records["no_face.mp4"])


def test_a_face_that_comes_and_goes_keeps_the_time_axis(records: dict[str, list[dict]]) -> None:
    frames = records["face_noface.mov"]
    seen = [bool(record["faces"]) for record in frames]
    assert any(seen)
    assert not all(seen)
    assert [record["frame"] for record in frames] == list(range(len(frames)))
    times = [record["time_s"] for record in frames]
    assert times == sorted(times)


@pytest.mark.parametrize(("name", "label"), [("0-f15-hao-ph.jpg", "happy"), ("0-f1-su-ph.jpg", "surprise")])
def test_plain_expressions_are_read(records: dict[str, list[dict]], name: str, label: str) -> None:
    (record,) = records[name]
    assert record["faces"][0]["label"] == label

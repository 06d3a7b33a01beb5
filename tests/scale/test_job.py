from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.errors import UnreadableMedia
from mien.scale.job import Item, Part, Settings, Unit, WorkItem, parts_of, pieces_of
from mien.sources import Selection


def _item(name: str) -> Item:
    return Item(source=name, path=f"/{name}", is_video=name.endswith(".mp4"), size=3, changed_ns=7)


def test_each_video_is_a_part_and_photos_share_parts_in_order() -> None:
    names = ["a.jpg", "b.jpg", "c.jpg", "d.mp4", "e.mp4", "f.jpg"]
    parts = parts_of([_item(name) for name in names], first=4, photos=2)
    assert [[item.source for item in part.items] for part in parts] == [
        ["a.jpg", "b.jpg"],
        ["c.jpg"],
        ["d.mp4"],
        ["e.mp4"],
        ["f.jpg"],
    ]
    assert [part.number for part in parts] == [4, 5, 6, 7, 8]
    assert [part.is_video for part in parts] == [False, False, True, True, False]


@pytest.mark.parametrize(
    ("videos", "workers", "pieces"), [(0, 2, 1), (1, 2, 4), (1, 1, 2), (3, 2, 2), (4, 2, 1), (900, 16, 1), (5, 16, 7)]
)
def test_few_videos_are_cut_so_that_each_worker_has_some(videos: int, workers: int, pieces: int) -> None:
    items = [_item(f"{number}.mp4") for number in range(videos)] + [_item("a.jpg")]
    assert pieces_of(items, workers) == pieces


def test_tasks_and_parts_survive_json() -> None:
    part = Part(number=3, items=(_item("a.jpg"), _item("b.jpg")))
    for unit in part.photo_units(Selection(fps=2)):
        task = WorkItem.from_dict(json.loads(json.dumps(WorkItem(kind="look", part=part, unit=unit).to_dict())))
        assert task.unit == unit
        assert task.key == f"000003-{unit.number:05d}"
    assert Part.from_dict(json.loads(json.dumps(part.to_dict()))) == part
    assert WorkItem.from_dict(WorkItem(kind="join", part=part).to_dict()).part == part


def test_a_task_says_which_part_of_which_source_it_is_about() -> None:
    unit = Unit(part=0, number=1, source="a.mp4", path="/a.mp4", selection=Selection(start_s=60, end_s=120.5))
    assert WorkItem(kind="look", part=Part(number=0, items=()), unit=unit).about == "a.mp4 from 60 s to 120.5 s"


def test_settings_survive_json_and_say_which_weights_answer(settings: Callable[..., Settings]) -> None:
    asked = settings(fps=2.5, start_s=3, range_s=20)
    data = json.loads(json.dumps(asked.to_dict()))
    assert Settings.from_dict(data, **asked.how) == asked
    assert list(data["weights"]) == ["emotion"]
    assert "threads" not in data["options"]


@pytest.mark.parametrize("spec", ["s3://key:secret@bucket/a.mp4", "s3://bucket/a.mp4?token=abc"])
def test_an_address_with_a_secret_is_refused_without_telling_it(spec: str) -> None:
    from mien.scale.sources import items_of

    items, problems = items_of([spec])
    assert items == []
    assert "secret" not in str(problems[0])
    assert "abc" not in str(problems[0])


def test_addresses_are_listed_and_fetched_through_fsspec(tmp_path: Path) -> None:
    from mien.scale.remote import fetched
    from mien.scale.sources import items_of

    for name in ("b10.jpg", "b2.jpg", "a.mp4", "notes.txt"):
        (tmp_path / name).write_text(name)
    items, problems = items_of([f"file://{tmp_path}"])
    assert problems == []
    assert [Path(item.path).name for item in items] == ["a.mp4", "b2.jpg", "b10.jpg"]
    assert [item.is_video for item in items] == [True, False, False]
    with fetched(items[1].path) as copy:
        assert Path(copy).read_text() == "b2.jpg"
        assert Path(copy) != tmp_path / "b2.jpg"
        assert Path(copy).suffix == ".jpg"
    assert not Path(copy).exists()


def test_an_unknown_protocol_is_a_sentence() -> None:
    from mien.scale.sources import items_of

    (problem,) = items_of(["nonsense://bucket/a.mp4"])[1]
    assert "nonsense" in str(problem)


def test_a_source_that_is_named_twice_is_done_once(tmp_path: Path) -> None:
    from mien.scale.sources import items_of

    (tmp_path / "a.jpg").write_text("a")
    items, _ = items_of([str(tmp_path / "a.jpg"), str(tmp_path), str(tmp_path / "." / "a.jpg")])
    assert [item.source for item in items] == [str(tmp_path / "a.jpg")]


def test_a_file_of_several_names_is_done_once(tmp_path: Path) -> None:
    from mien.scale.sources import items_of

    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / "linked.jpg").hardlink_to(tmp_path / "a.jpg")
    (tmp_path / "pointed.jpg").symlink_to("a.jpg")
    items, _ = items_of([str(tmp_path / name) for name in ("a.jpg", "linked.jpg", "pointed.jpg")])
    assert [item.source for item in items] == [str(tmp_path / "a.jpg")]


def test_what_an_archive_holds_is_listed_and_fetched(tmp_path: Path) -> None:
    """fsspec chains addresses: of what a pattern matches, each keeps the address of its archive."""
    from mien.scale.remote import fetched
    from mien.scale.sources import items_of

    archive = tmp_path / "clips.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in ("day/a.mp4", "day/b.jpg", "notes.txt"):
            zipped.writestr(name, name)
    nothing, (problem,) = items_of([f"zip://*::file://{archive}"])
    assert nothing == []
    assert "there is no photo or video" in str(problem)
    for spec in (f"zip://day/*::file://{archive}", f"zip://::file://{archive}"):
        items, problems = items_of([spec])
        assert problems == []
        assert [item.path for item in items] == [f"zip://day/{name}::file://{archive}" for name in ("a.mp4", "b.jpg")]
        assert [item.is_video for item in items] == [True, False]
        with fetched(items[0].path) as copy:
            assert Path(copy).read_text() == "day/a.mp4"
            assert Path(copy).suffix == ".mp4"


@pytest.mark.parametrize("spec", ["zip://a.jpg::s3://key:secret@bucket/a.zip", "simplecache::s3://k:secret@b/a.mp4"])
def test_a_secret_in_a_chained_address_is_refused_too(spec: str) -> None:
    from mien.scale.sources import items_of

    items, problems = items_of([spec])
    assert items == []
    assert "holds a password" in str(problems[0])
    assert "secret" not in str(problems[0])


def test_a_list_of_sources_has_one_per_line(tmp_path: Path) -> None:
    from mien.scale.sources import listed

    names = tmp_path / "names.txt"
    names.write_bytes(
        "\ufeff# clips\r\n\r\n  a b.mp4 \r\nc\u2028d.jpg\n\x0ce.jpg\n#f.jpg\n./#g.jpg".encode() + b"\ncaf\xe9.jpg"
    )
    assert listed(names) == ["a b.mp4", "c\u2028d.jpg", "\x0ce.jpg", "./#g.jpg", os.fsdecode(b"caf\xe9.jpg")]
    with pytest.raises(UnreadableMedia):
        listed(tmp_path)

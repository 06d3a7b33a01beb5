from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.json
import pyarrow.parquet as pq
import pytest

from mien.pixels.images import read_image, write_image

Run = Callable[..., Any]


def test_a_batch_ends_in_parts_a_manifest_and_a_sentence(mien: Run, photo: Path, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = mien("batch", photo, clip, "--out", out, "--jobs", 1, "--every", 4)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("2 sources, 4 frames, ")
    assert {path.name for path in out.iterdir()} == {"job.json", "parts", "manifest.json", "batch.log"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["frames"] == 4
    assert [unit["source"] for part in manifest["parts"] for unit in part["units"]] == [str(photo), str(clip)]
    state = mien("batch", "status", out)
    assert state.out.splitlines()[:2] == [f"{out}: finished", "2 of 2 parts finished"]
    assert mien("batch", "--verify", "--out", out).code == 0
    again = mien("batch", photo, clip, "--out", out, "--jobs", 1, "--every", 4)
    assert (again.code, again.out) == (0, ended.out)
    other = mien("batch", photo, clip, "--out", out, "--every", 2)
    assert other.code == 2
    assert "--every: 4 before, now 2" in other.err
    table = next((out / "parts").glob("*1.parquet"))
    table.write_bytes(table.read_bytes()[:-1] + b"!")
    broken = mien("batch", "--verify", "--out", out)
    assert broken.code == 1
    assert "SHA-256" in broken.err
    assert "run the same `mien batch` again" in broken.sentences[-1]
    table.unlink()
    assert "is missing" in mien("batch", "--verify", "--out", out).err
    mended = mien("batch", photo, clip, "--out", out, "--jobs", 1, "--every", 4)
    assert (mended.code, mended.out) == (0, ended.out)
    assert mended.sentences == [f"mien: {table} is missing; it is made again."]
    os.truncate(table, table.stat().st_size - 1)
    mended = mien("batch", photo, clip, "--out", out, "--jobs", 1, "--every", 4)
    assert (mended.code, mended.out) == (0, ended.out)
    size = table.stat().st_size
    (said,) = mended.sentences
    assert said == f"mien: {table} is damaged: it has {size - 1:,} bytes instead of {size:,}; it is made again."
    assert mien("batch", "--verify", "--out", out).code == 0


def test_damaged_files_of_a_batch_are_sentences(mien: Run, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert mien("batch", photo, "--out", out, "--jobs", 1, "--task", "emotion").code == 0
    ways = (["batch", "--verify", "--out", out], ["batch", "status", out], ["batch", photo, "--out", out, "--jobs", 1])
    for name, words in (("manifest.json", ways[:1]), ("job.json", ways), ("parts/part-000000.json", ways[1:])):
        whole = (out / name).read_bytes()
        for damage in (b"", b"{}", b"[]", b'{"parts": 3, "settings": 4, "units": 5}', b"\xff"):
            (out / name).write_bytes(damage)
            for way in words:
                more = ["--task", "emotion"] if photo in way else []
                ended = mien(*way, *more)
                assert ended.code in (1, 2), (name, damage, way)
                assert "Traceback" not in ended.err
                assert name in ended.err or "other settings" in ended.err, (damage, way, ended.err)
        (out / name).write_bytes(whole)
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "rows": manifest["rows"] + 1}))
    assert "other numbers of rows" in mien("batch", "--verify", "--out", out).err
    table = out / "parts" / "part-000000.parquet"
    left = out / "parts" / "part-000000.1a2b.part.parquet"
    left.write_bytes(table.read_bytes()[:100])
    assert mien("summarize", out).code == 0, "what a killed worker left is no table"
    table.write_bytes(table.read_bytes()[:100])
    damaged = mien("summarize", out)
    assert damaged.code == 1
    assert "--verify" in damaged.err


def test_what_cannot_be_read_is_listed_and_the_exit_code_is_1(mien: Run, photo: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    names = tmp_path / "names.txt"
    names.write_text(f"# what to look at\n{photo}\n\n{bad}\n")
    out = tmp_path / "out"
    ended = mien("batch", "--list", names, tmp_path / "nothing", "--out", out, "--jobs", 1, "--task", "emotion")
    assert ended.code == 1
    assert any("nothing" in line for line in ended.sentences)
    assert any("bad.jpg" in line for line in ended.sentences)
    (failure,) = (json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines())
    assert (failure["source"], failure["tries"]) == (str(bad), 2)
    assert "1 failure" in ended.out


def test_a_file_that_could_not_be_read_is_replaced_and_the_same_command_reads_it(
    mien: Run, photo: Path, clip: Path, tmp_path: Path
) -> None:
    """The rows are those of a new batch, and everything that is said about the folder is true again."""
    folder = tmp_path / "names"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(photo.read_bytes())
    (folder / "c.png").write_bytes(b"")
    (folder / "zero.mp4").write_bytes(b"")
    words = ["batch", folder, "--jobs", 1, "--task", "emotion", "--every", 4]
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    assert mien(*words, "--out", out).code == 1
    state = mien("batch", "status", out)
    assert state.out.splitlines()[:2] == [f"{out}: finished, 2 files could not be read", "2 of 2 parts finished"]
    assert state.out.splitlines()[3:] == [f"{out / 'failures.jsonl'} says why."]
    (folder / "zero.mp4").write_bytes(clip.read_bytes())
    mended = mien(*words, "--out", out)
    assert mended.code == 1, "c.png still cannot be read"
    assert (
        f"mien: {folder / 'zero.mp4'} could not be read before and has changed; it is read again." in mended.sentences
    )
    (failure,) = (json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines())
    assert failure["source"] == str(folder / "c.png")
    (folder / "c.png").write_bytes(photo.read_bytes())
    assert mien(*words, "--out", out).code == 0
    assert not (out / "failures.jsonl").exists()
    assert mien("batch", "--verify", "--out", out).code == 0
    assert mien("batch", "status", out).out.splitlines()[0] == f"{out}: finished"
    assert mien(*words, "--out", fresh).code == 0
    tables = [sorted((there / "parts").glob("*.parquet")) for there in (out, fresh)]
    for one, other in zip(*tables, strict=True):
        assert pq.read_table(one).equals(pq.read_table(other))
    write_image(folder / "a.png", np.full((48, 64, 3), 120, np.uint8))
    refused = mien(*words, "--out", out)
    assert refused.code == 2
    assert f"{folder / 'a.png'} has been read and has changed since; put back" in refused.err


def test_a_name_that_is_no_text_is_the_same_in_all_that_a_batch_writes(mien: Run, photo: Path, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(b"names"))
    for name in (b"good\xff.png", b"bad\xff.png"):
        path = tmp_path / folder / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(photo.read_bytes() if name.startswith(b"good") else b"text")
    out, words = tmp_path / "out", ["--jobs", 1, "--task", "emotion"]
    assert mien("batch", tmp_path / folder, "--out", out, *words).code == 1
    names = [str(tmp_path / folder / name) for name in ("bad\\udcff.png", "good\\udcff.png")]
    assert pyarrow.json.read_json(out / "failures.jsonl")["source"].to_pylist() == names[:1]
    manifest = json.loads((out / "manifest.json").read_text())
    assert [unit["source"] for part in manifest["parts"] for unit in part["units"]] == names
    assert set(pq.read_table(next((out / "parts").glob("*.parquet")))["source"].to_pylist()) == set(names[1:])
    assert mien("batch", "--verify", "--out", out).code == 0
    assert mien("batch", tmp_path / folder, "--out", out, *words).code == 1, "it goes on"
    lines = {}
    for name, more in (("one", []), ("two", ["--jobs", 1])):
        assert mien("look", tmp_path / folder, "--jsonl", tmp_path / name, "--task", "emotion", *more).code == 1
        lines[name] = (tmp_path / name).read_bytes()
    assert lines["one"] == lines["two"]
    assert json.loads(lines["one"])["source"] == names[1]
    crops = tmp_path / "crops.jsonl"
    assert mien("classify", "emotion", tmp_path / folder, "--jsonl", crops).code == 1
    assert json.loads(crops.read_bytes())["source"] == names[1]


def test_what_a_folder_holds_besides_is_told(mien: Run, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "photo.png").write_bytes(photo.read_bytes())
    (folder / "notes.txt").write_text("notes")
    ended = mien("batch", folder, "--out", tmp_path / "out", "--jobs", 1, "--task", "emotion")
    assert ended.code == 0
    assert ".txt" in ended.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "spark"], "local, ray"),
        (["--address", "here:1"], "--engine ray"),
        (["--from", "soon"], "H:MM:SS"),
        (["--fps", "2", "--keyframes"], "only one of them"),
        (["--task", "voice"], "emotion, gesture"),
        (["--gestures", "loser,wave"], "wave"),
        (["--detail", "highest"], "low, normal, high"),
    ],
)
def test_wrong_use_is_told_before_anything_is_made(
    mien: Run, photo: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    ended = mien("batch", photo, "--out", tmp_path / "out", *words)
    assert ended.code == 2
    assert told in ended.err
    assert not (tmp_path / "out").exists()


def test_a_baseline_that_cannot_be_used_is_told_before_anything_is_made(mien: Run, photo: Path, tmp_path: Path) -> None:
    wall = tmp_path / "wall.png"
    write_image(wall, np.full((48, 64, 3), 120, np.uint8))
    for baseline, told in ((wall, "found 0 faces"), (tmp_path / "nobody.jpg", "there is no such file")):
        ended = mien("batch", photo, "--out", tmp_path / "out", "--baseline", baseline)
        assert ended.code == 1
        assert told in ended.err
        assert not (tmp_path / "out").exists()


def test_nothing_to_look_at_and_a_folder_of_something_else_are_wrong_use(
    mien: Run, photo: Path, tmp_path: Path
) -> None:
    assert mien("batch", "--out", tmp_path / "out").code == 2
    assert mien("batch", photo).code == 2
    ended = mien("batch", photo, "--out", tmp_path)
    assert ended.code == 2
    assert photo.name in ended.err
    assert mien("batch", "status", tmp_path / "none").code == 1
    assert mien("batch", "--verify", "--out", tmp_path / "none").code == 1


def test_without_fsspec_an_address_is_a_sentence(mien_without: Run, tmp_path: Path) -> None:
    ended = mien_without("fsspec", "batch", "s3://bucket/a.mp4", "--out", tmp_path / "out")
    assert ended.code == 1
    assert ended.err.splitlines() == ["mien: This needs fsspec, which is not installed; run: pip install 'mien[scale]'"]


@pytest.mark.parametrize("verb", ["look", "batch"])
def test_options_that_change_rows_reach_the_workers(mien: Run, photo: Path, tmp_path: Path, verb: str) -> None:
    """What `mien look` says in one process, word for word."""
    words = [photo, "--gestures", "loser,punch", "--detail", "high", "--baseline", photo, "--threads", 1]
    rows = tmp_path / "one.parquet"
    assert mien("look", *words, "--parquet", rows).code == 0
    out = tmp_path / "several"
    into = ["--out", out] if verb == "batch" else ["--parquet", out / "rows.parquet"]
    ended = mien(verb, *words, "--jobs", 1, *into)
    assert ended.code == 0, ended.err
    table = pq.read_table(next(out.glob("**/*.parquet")))
    assert table.equals(pq.read_table(rows))
    (face,) = (row for row in table.to_pylist() if row["kind"] == "face")
    assert face["baseline"] is True
    assert {"gesture_loser", "gesture_punch", "gesture_none"} <= set(table.column_names)
    assert "gesture_victory" not in table.column_names


@pytest.mark.parametrize("verb", ["look", "batch"])
def test_a_photo_above_the_limit_is_refused_by_workers_too(mien: Run, photo: Path, tmp_path: Path, verb: str) -> None:
    into = ["--out", tmp_path / "out"] if verb == "batch" else ["--csv", tmp_path / "out.csv"]
    ended = mien(verb, photo, "--max-pixels", 100, "--jobs", 1, *into)
    assert ended.code == 1
    assert "100" in ended.err


def test_a_batch_goes_on_only_with_the_same_answers(mien: Run, photo: Path, tmp_path: Path) -> None:
    neutral = tmp_path / "neutral.png"
    neutral.write_bytes(photo.read_bytes())
    words = ["batch", photo, "--out", tmp_path / "out", "--jobs", 1]
    asked = ["--gestures", "loser,punch", "--detail", "low", "--max-pixels", 10_000_000, "--baseline", neutral]
    first = mien(*words, *asked)
    assert (first.code, mien(*words, *asked).out) == (0, first.out)
    for option, value, told in (
        ("--gestures", "loser,super", "--gestures: loser,punch before, now loser,super"),
        ("--detail", "high", "--detail: low before, now high"),
        ("--max-pixels", 9_000_000, "--max-pixels: 10000000 before, now 9000000"),
        ("--baseline", photo, "--baseline: "),
    ):
        other = mien(*words, *asked, option, value)
        assert other.code == 2
        assert told in other.err
    write_image(neutral, np.ascontiguousarray(read_image(neutral)[:-1]))
    changed = mien(*words, *asked)
    assert changed.code == 2
    assert "--baseline: another picture before, under the same name" in changed.err

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.artwork.drawings import draw_face
from mien.labels import EMOTIONS, EMOTIONS_8, GESTURES
from mien.models.artifact import load_artifact
from mien.outputs import encoders
from mien.outputs.video import VideoWriter
from mien.pixels.images import read_image, write_image
from mien.records.writers import read_jsonl
from mien.scene import Scene
from mien.sources import open_source

Run = Callable[..., Any]


def test_a_photo_is_told_in_a_sentence(mien: Run, photo: Path) -> None:
    ended = mien("look", photo)
    assert ended.code == 0
    assert ended.out.startswith(f"{photo}: ")
    assert "face" in ended.out
    assert "hand" in ended.out
    assert ended.err == ""


def test_jsonl_on_stdout_is_the_contract_and_nothing_else(mien: Run, photo: Path) -> None:
    ended = mien("look", photo, "--jsonl", "-")
    (line,) = ended.out.splitlines()
    record = json.loads(line)
    assert list(record) == ["source", "frame", "time_s", "size", "faces", "hands", "models"]
    assert record["source"] == str(photo)
    face, hand = record["faces"][0], record["hands"][0]
    assert list(face) == ["track", "box", "score", "label", "confidence", "uncertain", "grade", "scores"]
    assert list(hand) == [
        "track",
        "box",
        "score",
        "side",
        "landmarks",
        "pointing",
        "label",
        "confidence",
        "uncertain",
        "grade",
        "scores",
    ]
    assert list(face["scores"]) == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert list(hand["scores"]) == list(GESTURES.labels)
    assert sum(face["scores"].values()) == pytest.approx(1, abs=1e-3)
    assert Scene.from_dict(record).to_dict() == record


@pytest.mark.parametrize(
    ("task", "words"),
    [("emotion", "no face"), ("gesture", "no hand"), ("emotion,gesture", "no face and no hand")],
)
def test_only_what_was_looked_for_is_said_to_be_missing(mien: Run, tmp_path: Path, task: str, words: str) -> None:
    wall = np.full((120, 160, 3), 120, np.uint8)
    write_image(tmp_path / "wall.png", wall)
    with VideoWriter(tmp_path / "wall.mp4", 5.0, (120, 160)) as video:
        for _ in range(2):
            video.write(wall)
    photo, clip = mien("look", tmp_path / "wall.png", tmp_path / "wall.mp4", "--task", task).out.splitlines()
    assert photo == f"{tmp_path / 'wall.png'}: {words}"
    assert clip == f"{tmp_path / 'wall.mp4'}: 2 frames up to 0.2 s: {words}"


@pytest.mark.parametrize("tasks", [("emotion",), ("gesture",), ("emotion", "gesture")])
def test_records_say_which_models_looked(mien: Run, photo: Path, tmp_path: Path, tasks: tuple[str, ...]) -> None:
    names = {"emotion": ("emotion_residual", "face_centerface"), "gesture": ("gesture_landmark", "palm_mediapipe")}
    mien("look", photo, "--task", ",".join(tasks), "--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv")
    (record,) = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert tuple(record["models"]) == tasks
    for task, used in record["models"].items():
        manifest = load_artifact(names[task][0]).manifest
        assert (used["name"], used["version"], used["threshold"]) == (
            names[task][0],
            manifest.version,
            manifest.threshold,
        )
        assert manifest.sha256.startswith(used["sha256"])
        assert len(used["sha256"]) == 12
        assert used["detector"].startswith(names[task][1])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            told = {task: row[f"model_{task}"] for task in names}
            assert told == {task: str(Scene.from_dict(record).models[task]) if task in tasks else "" for task in names}


def test_every_record_of_a_video_has_its_frame_and_time(mien: Run, clip: Path, tmp_path: Path) -> None:
    ended = mien(
        "look", clip, "--jsonl", tmp_path / "a.jsonl", "--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv"
    )
    assert ended.code == 0
    assert "12 frames" in ended.out
    scenes = list(read_jsonl(tmp_path / "a.jsonl"))
    assert [scene.frame for scene in scenes] == list(range(12))
    assert [scene.time_s for scene in scenes] == pytest.approx([i / 6 for i in range(12)], abs=0.002)
    assert [scene.to_dict() for scene in scenes] == json.loads((tmp_path / "a.json").read_text("utf-8"))
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert {int(row["frame"]) for row in csv.DictReader(file)} == set(range(12))


def test_a_face_keeps_its_number_through_a_video(mien: Run, clip: Path, tmp_path: Path) -> None:
    mien("look", clip, "--jsonl", tmp_path / "a.jsonl")
    tracks = [face.track for scene in read_jsonl(tmp_path / "a.jsonl") for face in scene.faces[:1]]
    assert len(tracks) >= 10
    assert set(tracks) == {1}


def test_every_takes_each_third_frame_with_its_true_number(mien: Run, clip: Path) -> None:
    ended = mien("look", clip, "--every", 3, "--jsonl", "-")
    assert [json.loads(line)["frame"] for line in ended.out.splitlines()] == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        (["--fps", "3"], [0, 2, 4, 6, 8, 10]),
        (["--from", "0.5"], [3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (["--from", "0:00:00.500", "--to", "0:01"], [3, 4, 5]),
        (["--from", "0.3", "--every", "4"], [4, 8]),
        (["--to", ".35", "--fps", "3"], [0, 2]),
        (["--keyframes"], [0]),
    ],
)
def test_a_part_of_a_video(mien: Run, clip: Path, words: list[str], frames: list[int]) -> None:
    ended = mien("look", clip, *words, "--task", "emotion", "--jsonl", "-")
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert (ended.code, ended.err) == (0, "")
    assert [record["frame"] for record in records] == frames
    assert [record["time_s"] for record in records] == pytest.approx([frame / 6 for frame in frames], abs=1e-3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--fps", "5", "--every", "2"], "every and fps"),
        (["--fps", "5", "--keyframes"], "fps and keyframes"),
        (["--from", "later"], "must be seconds or H:MM:SS.mmm"),
        (["--from", "5", "--to", "4"], "end must come after the start"),
    ],
)
def test_a_choice_of_frames_that_makes_no_sense_is_wrong_use(
    mien: Run, clip: Path, tmp_path: Path, words: list[str], why: str
) -> None:
    ended = mien("look", clip, *words, "--jsonl", tmp_path / "out.jsonl")
    assert ended.code == 2
    assert why in " ".join(ended.err.split()).replace("│ ", "")
    assert not (tmp_path / "out.jsonl").exists()


def test_videos_that_cannot_be_read_get_a_sentence_each_and_the_others_are_done(
    mien: Run, clip: Path, tmp_path: Path
) -> None:
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data[places[6][0] : places[6][0] + places[6][1]] = bytes(places[6][1])
    (tmp_path / "broken.mp4").write_bytes(data)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{clip}\n", encoding="utf-8")
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 8000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    bad = [tmp_path / name for name in ("broken.mp4", "list.m3u8", "sound.mp4")]
    ended = mien("look", *bad, clip, "--task", "emotion", "--jsonl", "-")
    assert ended.code == 1
    broken, listed, sound = ended.sentences
    assert broken.startswith(f"mien: {bad[0]} is damaged: 1 of 12 frames could not be decoded, the others were kept")
    assert "names other files, which are not opened" in listed
    assert "holds sound but no picture" in sound
    read = [(json.loads(line)["source"], json.loads(line)["frame"]) for line in ended.out.splitlines()]
    assert [frame for name, frame in read if name == str(bad[0])] == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert [frame for name, frame in read if name == str(clip)] == list(range(12))


def test_a_part_that_a_video_does_not_have_is_told_and_the_others_are_done(mien: Run, photo: Path, clip: Path) -> None:
    ended = mien("look", clip, photo, "--from", "1:00", "--task", "emotion")
    assert ended.code == 1
    assert ended.err.startswith(f"mien: {clip} ends at ")
    assert ended.out.startswith(f"{photo}: ")


@pytest.mark.parametrize(("task", "faces", "hands"), [("emotion", True, False), ("gesture", False, True)])
def test_a_task_alone_looks_for_nothing_else(mien: Run, photo: Path, task: str, faces: bool, hands: bool) -> None:
    record = json.loads(mien("look", photo, "--task", task, "--jsonl", "-").out)
    assert (bool(record["faces"]), bool(record["hands"])) == (faces, hands)


def test_save_writes_annotated_copies_of_photo_and_video(mien: Run, photo: Path, clip: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    assert mien("look", photo, clip, "--save", saved).code == 0
    assert sorted(path.name for path in saved.iterdir()) == ["clip.mp4", "good.png"]
    original, annotated = read_image(photo), read_image(saved / "good.png")
    assert original.shape == annotated.shape
    assert (original != annotated).any()
    with open_source(saved / "clip.mp4") as source:
        assert len(list(source)) == 12


def _with_sound(path: Path, target: Path, *, shift_s: float = 0.0) -> Path:
    """The video with two seconds of a tone from 0 s on, and its picture later by this much; damaged in places."""
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        picture = container.add_stream_from_template(source.streams.video[0])
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        wave = (0.4 * np.sin(np.arange(2 * 44_100) / 20)).astype(np.float32)
        for at in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, at
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts += round(shift_s / packet.time_base)
                packet.dts = packet.pts
                packet.stream = picture
                container.mux(packet)
    return target


def _tracks(path: Path) -> dict[str, tuple[float, float]]:
    """Of the picture and the sound: when the first packet begins, and the last."""
    times: dict[str, list[float]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                times.setdefault(packet.stream.type, []).append(float(packet.pts * packet.time_base))
    return {kind: (min(found), max(found)) for kind, found in times.items()}


def test_a_copy_has_the_times_and_the_sound_of_its_source(mien: Run, clip: Path, tmp_path: Path) -> None:
    heard = _with_sound(clip, tmp_path / "heard.mp4", shift_s=0.5)
    assert mien("look", heard, "--save", tmp_path / "copy.mp4", "--every", 3).code == 0
    tracks = _tracks(tmp_path / "copy.mp4")
    assert tracks["video"] == pytest.approx((0.5, 0.5 + 9 / 6), abs=0.001)
    assert tracks["audio"] == pytest.approx((0.0, 1.98), abs=0.03)
    assert mien("look", heard, "--save", tmp_path / "silent.mp4", "--no-sound").code == 0
    assert set(_tracks(tmp_path / "silent.mp4")) == {"video"}
    assert mien("look", clip, "--save", tmp_path / "never.mp4").code == 0
    assert set(_tracks(tmp_path / "never.mp4")) == {"video"}


def test_damaged_sound_is_told_and_the_copy_is_finished(mien: Run, clip: Path, tmp_path: Path) -> None:
    heard = _with_sound(clip, tmp_path / "heard.mp4")
    with av.open(str(heard)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    data = heard.read_bytes()
    for packet in packets[40:44]:
        data = data.replace(packet, b"\xff" * len(packet))
    heard.write_bytes(data)
    ended = mien("look", heard, "--save", tmp_path / "copy.mp4")
    assert ended.code == 1
    assert f"mien: The sound of {heard} is damaged: " in ended.err
    tracks = _tracks(tmp_path / "copy.mp4")
    assert tracks["video"] == pytest.approx((0.0, 11 / 6), abs=0.001)
    assert tracks["audio"][1] > 1.9


def test_where_no_encoder_is_the_next_one_is_taken_and_it_is_said_once(
    mien: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(encoders.ENCODERS, ".mp4", encoders.ENCODERS[".mp4"][-1:])
    ended = mien("look", clip, clip, "--save", tmp_path / "copies")
    assert ended.code == 0
    assert ended.err.count("Browsers may not play it: this PyAV has no encoder for H.264") == 1


def test_save_to_one_file(mien: Run, photo: Path, tmp_path: Path) -> None:
    assert mien("look", photo, "--save", tmp_path / "one.jpg").code == 0
    assert (tmp_path / "one.jpg").is_file()


def test_saving_over_the_source_is_refused(mien: Run, photo: Path) -> None:
    before = photo.read_bytes()
    ended = mien("look", photo, "--save", photo.parent)
    assert ended.code == 2
    assert "replace" in ended.err
    assert photo.read_bytes() == before


def test_equal_names_are_told_apart(mien: Run, photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "sub"
    other.mkdir()
    (other / "good.png").write_bytes(photo.read_bytes())
    assert mien("look", photo, other / "good.png", "--save", tmp_path / "saved").code == 0
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["good-2.png", "good.png"]


def test_a_folder_and_a_glob_give_the_same(mien: Run, photo: Path) -> None:
    (photo.parent / "more.png").write_bytes(photo.read_bytes())
    by_folder = mien("look", photo.parent, "--jsonl", "-").out
    by_glob = mien("look", photo.parent / "*.png", "--jsonl", "-").out
    assert by_folder == by_glob
    assert len(by_folder.splitlines()) == 2


def test_python_and_command_agree(mien: Run, photo: Path) -> None:
    import mien as package

    scene = package.look(photo)
    assert scene.to_dict() == json.loads(mien("look", photo, "--jsonl", "-").out)
    assert [s.to_dict() for s in package.stream(photo)] == [scene.to_dict()]
    assert scene.faces[0].label == scene.faces[0].to_dict()["label"]


def test_the_api_names_an_unknown_option(photo: Path) -> None:
    import mien as package

    with pytest.raises(package.UnknownName, match="Did you mean 'tiles'"):
        package.look(photo, tile=True)


def test_an_unknown_detail_is_wrong_use(mien: Run, photo: Path) -> None:
    ended = mien("look", photo, "--detail", "hihg")
    assert ended.code == 2
    assert "Did you mean 'high'" in ended.err


def test_details_find_what_is_far(mien: Run, tmp_path: Path) -> None:
    """Portraits of 40 pixels in 1,280: seen where the picture is searched as it is."""
    picture = np.full((720, 1280, 3), 200, np.uint8)
    small = draw_face("happy", person="ben", size=40)
    for x in (100, 600, 1100):
        picture[300:340, x : x + 40] = small
    write_image(tmp_path / "far.png", picture)
    counts = {}
    for detail in ("low", "normal"):
        ended = mien("look", tmp_path / "far.png", "--task", "emotion", "--detail", detail, "--jsonl", "-")
        counts[detail] = len(json.loads(ended.out)["faces"])
    assert counts == {"low": 0, "normal": 3}


def test_parquet_has_the_rows_of_csv_and_the_landmarks(mien: Run, clip: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    ended = mien("look", clip, "--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet")
    assert (ended.code, ended.err) == (0, "")
    rows = pq.read_table(tmp_path / "a.parquet").to_pylist()
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    told = ("frame", "kind", "track", "label", "confidence")
    assert [["" if row[key] is None else str(row[key]) for key in told] for row in rows] == [
        [line[key] for key in told] for line in lines
    ]
    assert {len(row["landmarks"]) for row in rows if row["kind"] == "hand"} == {63}
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def test_tables_have_a_column_for_each_label_of_the_model(
    mien: Run, photo: Path, eight_emotions: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    tables = ("--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet")
    ended = mien("look", photo, "--emotion-model", eight_emotions, *tables)
    assert (ended.code, ended.err) == (0, "")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        (face,) = (row for row in csv.DictReader(file) if row["kind"] == "face")
    scores = {label: float(face[f"emotion_{label}"]) for label in EMOTIONS_8.labels}
    assert sum(scores.values()) == pytest.approx(1.0, abs=0.01)
    assert max(scores, key=scores.__getitem__) == face["label"]
    assert "emotion_contempt" in pq.read_table(tmp_path / "a.parquet").column_names


def test_contempt_is_no_answer_of_the_package(mien: Run, photo: Path, tmp_path: Path) -> None:
    ended = mien("look", photo, "--emotion-model", "emotion_ferplus", "--jsonl", "-", "--csv", tmp_path / "a.csv")
    assert (ended.code, ended.err) == (0, "")
    (face,) = json.loads(ended.out.splitlines()[0])["faces"]
    assert list(face["scores"]) == list(EMOTIONS.labels)
    assert sum(face["scores"].values()) == pytest.approx(1.0, abs=0.001)
    assert "emotion_contempt" not in (tmp_path / "a.csv").read_text()


def test_parquet_goes_to_no_stdout(mien: Run, photo: Path) -> None:
    ended = mien("look", photo, "--parquet", "-")
    assert ended.code == 2
    assert "name a file" in ended.err


def test_a_neutral_face_can_be_the_reference(mien: Run, tmp_path: Path) -> None:
    calm, smile = tmp_path / "calm.png", tmp_path / "smile.png"
    write_image(calm, draw_face("neutral"))
    write_image(smile, draw_face("happy"))
    ended = mien("look", calm, smile, "--task", "emotion", "--baseline", calm, "--csv", "-")
    assert ended.code == 0
    rows = list(csv.DictReader(ended.out.splitlines()))
    assert [row["baseline"] for row in rows] == ["true", "true"]
    assert (rows[0]["label"], rows[0]["grade"]) == ("neutral", "sure")
    assert mien("look", smile, "--task", "emotion", "--baseline", calm, "--save", calm, "--overwrite").code == 2
    assert mien("look", smile, "--task", "gesture", "--baseline", calm).code != 0


def test_several_processes_write_what_one_writes_in_the_same_order(
    mien: Run, photo: Path, clip: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    words = [photo, bad, clip, "--threads", "1"]
    one = mien("look", *words, "--jsonl", tmp_path / "one.jsonl", "--csv", tmp_path / "one.csv")
    two = mien("look", *words, "--jsonl", tmp_path / "two.jsonl", "--csv", tmp_path / "two.csv", "--jobs", "2")
    assert (two.code, two.out, two.err) == (one.code, one.out, one.err) == (1, one.out, one.err)
    assert "bad.jpg" in two.err
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_a_run_that_is_killed_is_resumed_without_looking_again(
    mien: Run, mien_process: Run, photo: Path, clip: Path, tmp_path: Path
) -> None:
    out, kept = tmp_path / "faces.csv", tmp_path / "faces.csv.work"
    words = ["look", photo, clip, "--task", "emotion", "--csv", out, "--resume", "--jobs", "1"]
    words += ["--parquet", tmp_path / "faces.parquet"]
    run = mien_process(*words)
    until_s = time.monotonic() + 60
    while not list(kept.glob("work/000000-*.json")):
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < until_s
    run.kill()
    run.communicate()
    assert kept.is_dir()
    photo.write_bytes(photo.read_bytes())
    refused = mien(*words)
    assert refused.code == 2
    assert f"has changed since; put back the file that was read, or delete {kept} to begin again." in refused.err
    os.utime(photo, ns=(0, json.loads((kept / "job.json").read_text())["parts"][0]["items"][0]["changed_ns"]))
    other = mien(*words, "--every", "2")
    assert other.code == 2
    assert f"--resume cannot go on with {kept}, the work of an earlier run with other settings" in other.err
    assert "(--every: 1 before, now 2); give the same settings, or delete" in other.err
    assert "--out" not in other.err
    # What runs left is removed in the end; no file that the user makes under such a name.
    users = [tmp_path / "faces.csv.2.part", tmp_path / "faces.parquet.part"]
    assert [path.exists() for path in users] == [False, True]
    users[1].rename(tmp_path / "moved")
    for path in users:
        path.write_text("of the user")
    job = (kept / "job.json").read_bytes()
    (kept / "job.json").write_bytes(b"{}")
    assert f"job.json is damaged or not the expected file; delete {kept} to begin again." in mien(*words).err
    (kept / "job.json").write_bytes(job)
    assert (tmp_path / "faces.csv.part").exists()
    marked = next(kept.glob("work/000000-*.jsonl"))
    marked.write_text(marked.read_text().replace(str(photo), "from before.png"))
    ended = mien(*words)
    assert ended.code == 0, ended.err
    sources = [row["source"] for row in csv.DictReader(out.read_text().splitlines())]
    assert sources[0] == "from before.png"  # not looked at again
    assert sources.count(str(clip)) >= 12
    assert not kept.exists()
    assert sorted(tmp_path.glob("faces.*")) == sorted([out, out.with_suffix(".parquet"), *users])
    assert [path.read_text() for path in users] == ["of the user"] * 2


@pytest.mark.parametrize(
    ("words", "told"), [(["--save", "out.jpg", "--jobs", "2"], "--save"), (["--resume"], "next to a result")]
)
def test_what_processes_cannot_do_is_wrong_use(mien: Run, photo: Path, words: list[str], told: str) -> None:
    ended = mien("look", photo, *words)
    assert ended.code == 2
    assert told in ended.err

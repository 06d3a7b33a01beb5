from __future__ import annotations

import io
import json
import os
import resource
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from mien.artwork.drawings import demo_frame
from mien.outputs.video import VideoWriter
from mien.pipeline import Analyzer, FrameSequence, Options
from mien.pixels.images import encode_image
from mien.scene import Frame, Scene
from mien.serve.contract import JobRecord
from mien.serve.engine import Engine
from mien.serve.jobs import Jobs
from mien.serve.problems import Problem
from mien.serve.settings import Limits
from mien.sources import Selection, open_source

FRAMES = 12


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory, smile: list[Any]) -> bytes:
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, 10.0, (480, 640)) as writer:
        for image_rgb in smile[-FRAMES:]:
            writer.write(image_rgb)
    return path.read_bytes()


def ended(server: Any, number: str, limit_s: float = 60.0) -> dict[str, Any]:
    """The job once it has ended."""
    end_s = time.monotonic() + limit_s
    while True:
        job: dict[str, Any] = json.loads(server.ask("GET", f"/v1/jobs/{number}")[2])
        if job["state"] not in ("waiting", "running"):
            return job
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_the_records_are_those_of_the_command_line(server: Any, video: bytes, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(video)
    with (
        Analyzer(Options(follow=True)) as analyzer,
        open_source(tmp_path / "clip.mp4", selection=Selection(every=2)) as source,
    ):
        expected = [json.loads(scene.to_json()) | {"source": "../clip"} for scene in analyzer.scenes(source)]
    assert len(expected) == FRAMES // 2
    assert {scene["hands"][0]["label"] for scene in expected} == {"victory"}
    status, headers, body = server.ask("POST", "/v1/look/video?every=2&name=../clip", video)
    job = json.loads(body)
    assert (status, headers["location"], job["of"]) == (202, f"/v1/jobs/{job['id']}", None)
    job = ended(server, job["id"])
    assert (job["state"], job["frames"], job["of"], job["problem"]) == ("done", 6, 6, None)
    assert 3500 < job["expires_in_s"] <= 3600
    status, headers, body = server.ask("GET", f"/v1/jobs/{job['id']}/result")
    assert (status, headers["content-type"]) == (200, "application/jsonl")
    assert [json.loads(line) for line in body.splitlines()] == expected
    assert [path.suffix for path in server.jobs.folder.iterdir()] == [".jsonl"], "the video is not kept"
    assert server.ask("DELETE", f"/v1/jobs/{job['id']}")[0] == 200
    assert list(server.jobs.folder.iterdir()) == []
    assert server.ask("GET", f"/v1/jobs/{job['id']}")[0] == 404


def test_a_table_can_be_had(server: Any, video: bytes, tmp_path: Path) -> None:
    _, _, body = server.ask("POST", "/v1/look/video?format=parquet&task=emotion", video)
    job = ended(server, json.loads(body)["id"])
    (tmp_path / "t.parquet").write_bytes(server.ask("GET", f"/v1/jobs/{job['id']}/result")[2])
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.num_rows == FRAMES
    assert set(table["label"].to_pylist()) == {"happy"}


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n"


@pytest.mark.parametrize(
    ("body", "headers", "expected", "sentence"),
    [
        (b"", {}, 400, "The body is empty"),
        (b"/home/somebody/clip.mp4", {}, 415, "not a video of a known kind"),
        (b"http://example.org/clip.mp4", {}, 415, "not a video of a known kind"),
        (PLAYLIST, {}, 415, "not a video of a known kind"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", {}, 415, "not a video of a known kind"),
        (b"<?xml version='1.0'?><MPD></MPD>", {}, 415, "not a video of a known kind"),
        (b'{"video": "/etc/passwd"}', {"Content-Type": "application/json"}, 415, "got application/json"),
    ],
)
def test_what_is_no_video_is_refused(
    server: Any, body: bytes, headers: dict[str, str], expected: int, sentence: str
) -> None:
    status, _, answer = server.ask("POST", "/v1/look/video", body, headers)
    assert status == expected
    assert sentence in json.loads(answer)["detail"]
    assert server.jobs.unfinished == 0
    assert not [path for path in server.jobs.folder.iterdir() if path.suffix == ".video"]


def test_a_damaged_video_says_so_without_a_path(server: Any, video: bytes) -> None:
    _, _, body = server.ask("POST", "/v1/look/video?name=holiday.mp4", video[: len(video) // 3])
    job = ended(server, json.loads(body)["id"])
    assert job["state"] == "failed"
    assert "holiday.mp4" in job["problem"]
    assert str(server.jobs.folder) not in job["problem"]


def test_a_job_can_be_cancelled(serving: Callable[..., Any], video: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serving(limits=Limits(jobs=1))
    step, go, looking = FrameSequence.step, threading.Event(), threading.Event()

    def slow(self: FrameSequence, frame: Frame) -> Scene:
        looking.set()
        assert go.wait(30)
        return step(self, frame)

    monkeypatch.setattr(FrameSequence, "step", slow)
    first = json.loads(server.ask("POST", "/v1/look/video", video)[2])["id"]
    assert looking.wait(30)
    second = json.loads(server.ask("POST", "/v1/look/video", video)[2])["id"]
    status, headers, body = server.ask("POST", "/v1/look/video", video)
    assert (status, headers["retry-after"]) == (503, "1")
    assert b"1 videos are waiting already" in body
    status, _, body = server.ask("GET", f"/v1/jobs/{first}/result")
    assert (status, b"This job is running and has no result." in body) == (409, True)
    assert json.loads(server.ask("DELETE", f"/v1/jobs/{second}")[2])["state"] == "cancelled"
    server.ask("DELETE", f"/v1/jobs/{first}")
    go.set()
    job = ended(server, first)
    assert (job["state"], job["frames"] <= 1) == ("cancelled", True)
    assert list(server.jobs.folder.iterdir()) == []


@pytest.fixture
def engine() -> Any:
    with Engine(Options()) as one:
        yield one


def add(jobs: Jobs, data: bytes) -> JobRecord:
    job = jobs.place(name="x", form="jsonl", tasks=("emotion",), every=1)
    job.video.write_bytes(data)
    jobs.submit(job)
    end_s = time.monotonic() + 60
    while job.ended_s is None:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    return jobs.record(job)


def test_results_expire_and_the_folder_is_private_and_goes(engine: Engine) -> None:
    now = [0.0]
    jobs = Jobs(engine, Limits(kept_s=10.0), clock=lambda: now[0])
    with jobs:
        folder = jobs.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        photo = encode_image(demo_frame(60), ".jpg")
        record = add(jobs, photo)
        assert (record.state, record.frames, record.expires_in_s) == ("done", 1, 10.0)
        now[0] = 9.9
        jobs.expire()
        assert jobs.get(record.id).state == "done"
        now[0] = 10.0
        with pytest.raises(Problem, match="no such job"):
            jobs.get(record.id)
        assert list(folder.iterdir()) == []
        add(jobs, photo)
        assert list(folder.iterdir())
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["video", "photo", "animation"])
def test_videos_have_the_limit_of_pictures(
    serving: Callable[..., Any], video: bytes, photo: bytes, smile: list[Any], kind: str
) -> None:
    stored = io.BytesIO()
    first, *more = [Image.fromarray(one) for one in smile[::4]]
    first.save(stored, "GIF", save_all=True, append_images=more)
    server = serving(limits=Limits(picture_pixels=640 * 480 - 1))
    data = {"video": video, "photo": photo, "animation": stored.getvalue()}[kind]
    job = ended(server, json.loads(server.ask("POST", "/v1/look/video?name=big", data)[2])["id"])
    assert (job["state"], job["frames"]) == ("failed", 0)
    assert job["problem"].startswith("The frames of big have too many pixels; this server takes up to ")
    server = serving(limits=Limits(picture_pixels=640 * 480))
    job = ended(server, json.loads(server.ask("POST", "/v1/look/video?every=4", data)[2])["id"])
    assert job["state"] == "done"


def test_the_oldest_results_make_room(serving: Callable[..., Any], photo: bytes) -> None:
    server = serving(limits=Limits(results=2))
    jobs = [json.loads(server.ask("POST", "/v1/look/video", photo)[2])["id"] for _ in range(4)]
    ended(server, jobs[-1])
    end_s = time.monotonic() + 30
    while len([*server.jobs.folder.iterdir()]) > 2:
        assert time.monotonic() < end_s
    assert [server.ask("GET", f"/v1/jobs/{job}")[0] for job in jobs] == [404, 404, 200, 200]
    assert {path.stem for path in server.jobs.folder.iterdir()} == {*jobs[2:]}


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Lets no file of this process grow beyond so many bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_for_a_video_or_a_result(
    serving: Callable[..., Any], video: bytes, full_disk: Callable[[int], None]
) -> None:
    server = serving()
    full_disk(len(video) - 1)
    status, _, body = server.ask("POST", "/v1/look/video", video)
    assert (status, "cannot store the video" in json.loads(body)["detail"]) == (507, True)
    assert server.jobs.unfinished == 0
    assert list(server.jobs.folder.iterdir()) == []
    assert len(video) > 3000
    full_disk(2**40)
    job = json.loads(server.ask("POST", "/v1/look/video", video)[2])
    full_disk(3000)
    job = ended(server, job["id"])
    assert job["state"] == "failed"
    assert job["problem"].startswith("Cannot write the result: the file would be larger"), "without a path"


def test_what_a_killed_server_left_is_removed(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, other, young = (tmp_path / name for name in ("mien-serve-left", "other", "mien-serve-young"))
    for folder in (left, other, young):
        folder.mkdir()
        (folder / "x.video").write_bytes(b"somebody")
    with Jobs(engine, Limits()) as running:
        for folder in (left, other, running.folder):
            os.utime(folder, (1e9, 1e9))
        with Jobs(engine, Limits()) as second:
            assert {*tmp_path.iterdir()} == {other, young, running.folder, second.folder}
        assert running.folder.is_dir(), "another server's"
    assert {*tmp_path.iterdir()} == {other, young}

"""The two friendly doors of an Analyzer, and what threads may do with it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import mien
from mien.artwork.drawings import demo_frame, draw_face
from mien.errors import InputError, InvalidOption, UnknownName
from mien.outputs.video import VideoWriter
from mien.pipeline import Analyzer, CropReader, Options
from mien.pixels.images import encode_image
from mien.records.writers import JsonlWriter
from mien.scene import Face, Frame, Scene
from mien.sources import FakeLiveSource

EMOTION = Options(tasks=("emotion",), threads=1)


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(EMOTION) as analyzer:
        yield analyzer


@pytest.fixture(scope="module")
def drawn() -> NDArray[np.uint8]:
    return np.asarray(demo_frame(30), np.uint8)


@pytest.fixture
def clip(tmp_path: Path, drawn: NDArray[np.uint8]) -> Path:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 10.0, drawn.shape[:2]) as video:
        for _ in range(6):
            video.write(drawn)
    return path


def _frames(image_rgb: NDArray[np.uint8], count: int, name: str) -> Iterator[Frame]:
    return (Frame(image_rgb, i, i / 10, name) for i in range(count))


def _tracks(scene: Scene) -> list[int | None]:
    return [face.track for face in scene.faces]


def test_look_takes_any_form_and_remembers_nothing(analyzer: Analyzer, drawn: NDArray[np.uint8]) -> None:
    scenes = [
        analyzer.look(form) for form in (drawn, encode_image(drawn, ".png"), io.BytesIO(encode_image(drawn, ".png")))
    ]
    assert scenes[0].faces
    assert scenes[0] == scenes[1] == scenes[2]
    assert mien.look(drawn, tasks=("emotion",), threads=1) == scenes[0]
    # Shifted by half of the picture its face is another one, which a tracker that remembers would number on.
    moved = analyzer.look(np.roll(drawn, drawn.shape[1] // 2, axis=1))
    assert _tracks(moved) == list(range(1, len(moved.faces) + 1))


def test_stream_gives_what_the_function_gives(analyzer: Analyzer, clip: Path) -> None:
    scenes = list(analyzer.stream(clip, every=2))
    assert [scene.frame for scene in scenes] == [0, 2, 4]
    assert scenes == list(mien.stream(clip, every=2, tasks=("emotion",), threads=1))
    with pytest.raises(InputError, match="every must be at least 1"):
        list(analyzer.stream(clip, every=0))


def test_stream_of_a_part(analyzer: Analyzer, clip: Path) -> None:
    whole = list(analyzer.stream(clip))
    step_s = whole[1].time_s
    part = list(mien.stream(clip, start_s=step_s, end_s=3 * step_s, tasks=("emotion",), threads=1))
    assert [scene.frame for scene in part] == [1, 2]
    assert [scene.frame for scene in analyzer.stream(clip, fps=1 / step_s / 2)] == [0, 2, 4]
    assert next(analyzer.stream(clip, keyframes=True)).frame == 0


@pytest.mark.parametrize("chosen", [{"start_s": 1.0}, {"end_s": 1.0}, {"keyframes": True}])
@pytest.mark.parametrize("source", [0, "rtsp://me:s3cret@127.0.0.1:9/x"])
def test_what_is_live_has_no_start_end_or_key_frames(analyzer: Analyzer, source: int | str, chosen: dict) -> None:
    with pytest.raises(InputError, match="shows what is there now") as raised:
        list(analyzer.stream(source, **chosen))
    assert "s3cret" not in str(raised.value)


def test_two_sources_in_turn_keep_their_own_tracks(analyzer: Analyzer, drawn: NDArray[np.uint8]) -> None:
    other = np.roll(drawn, drawn.shape[1] // 2, axis=1)
    alone = [list(analyzer.scenes(_frames(image, 4, name))) for image, name in ((drawn, "a"), (other, "b"))]
    in_turn = zip(analyzer.scenes(_frames(drawn, 4, "a")), analyzer.scenes(_frames(other, 4, "b")), strict=True)
    assert [list(scenes) for scenes in zip(*in_turn, strict=True)] == alone


def test_threads_that_look_and_stream_get_their_own_results(
    analyzer: Analyzer, drawn: NDArray[np.uint8], clip: Path
) -> None:
    images = [np.roll(drawn, 60 * shift, axis=1) for shift in range(4)]
    alone = [analyzer.look(image) for image in images]
    expected = list(analyzer.stream(clip))
    with ThreadPoolExecutor(6) as pool:
        looked = [pool.submit(analyzer.look, image) for image in images * 3]
        streamed = [pool.submit(lambda: list(analyzer.stream(clip))) for _ in range(2)]
        assert [future.result() for future in looked] == alone * 3
        assert all(future.result() == expected for future in streamed)


def test_as_many_frames_as_cores_are_computed_side_by_side(
    drawn: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.pipeline.analyzer.usable_threads", lambda: 2)
    both, inside, most = threading.Barrier(2, timeout=30), [0], [0]
    with Analyzer(EMOTION) as analyzer:
        detector = analyzer._faces
        assert detector is not None
        real = detector.detect

        def slow(image_rgb: NDArray[np.uint8], *, still: bool = True) -> object:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            both.wait()
            try:
                return real(image_rgb, still=still)
            finally:
                inside[0] -= 1

        expected = analyzer.look(drawn)
        monkeypatch.setattr(detector, "detect", slow)
        with ThreadPoolExecutor(4) as pool:
            looked = [pool.submit(analyzer.look, drawn) for _ in range(4)]
            assert [future.result() for future in looked] == [expected] * 4
    assert most == [2]


def test_two_threads_may_be_the_first_to_need_a_model(drawn: NDArray[np.uint8]) -> None:
    with Analyzer(EMOTION) as analyzer, ThreadPoolExecutor(4) as pool:
        asked = [("emotion",), ("gesture",), ("emotion", "gesture"), ("gesture",)]
        scenes = [*pool.map(lambda tasks: analyzer.look(drawn, tasks=tasks), asked)]
        assert [tuple(scene.models) for scene in scenes] == asked
        assert scenes[1] == scenes[3] == analyzer.look(drawn, tasks=("gesture",))
        assert scenes[1].models is scenes[3].models, "one and the same, which writers of tables go by"


def test_two_threads_at_step_at_once_are_told(analyzer: Analyzer, drawn: NDArray[np.uint8]) -> None:
    inside, go_on = threading.Event(), threading.Event()
    detector = analyzer._faces
    assert detector is not None
    real = detector.detect

    def slow(image_rgb: NDArray[np.uint8], *, still: bool = True) -> object:
        inside.set()
        assert go_on.wait(10)
        return real(image_rgb, still=still)

    analyzer.restart()
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector, "detect", slow)
        first = pool.submit(analyzer.step, Frame(drawn, 0, 0.0, "a"))
        assert inside.wait(10)
        try:
            with pytest.raises(InputError, match=r"on a frame from another thread.*use one Analyzer"):
                analyzer.step(Frame(drawn, 0, 0.0, "b"))
        finally:
            go_on.set()
        assert first.result().source == "a"
    assert analyzer.step(Frame(drawn, 1, 0.1, "a")).faces, "free again"


def test_step_is_free_again_after_an_error(analyzer: Analyzer, drawn: NDArray[np.uint8]) -> None:
    analyzer.restart()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyzer._faces, "detect", None)
        with pytest.raises(TypeError):
            analyzer.step(Frame(drawn))
    assert analyzer.step(Frame(drawn)).faces


def test_hands_of_two_followed_sources_do_not_mix(drawn: NDArray[np.uint8]) -> None:
    other = np.roll(drawn, drawn.shape[1] // 3, axis=1)
    with Analyzer(Options(tasks=("gesture",), threads=1, follow=True)) as analyzer:
        alone = [list(analyzer.scenes(_frames(image, 3, name))) for image, name in ((drawn, "a"), (other, "b"))]
        in_turn = zip(analyzer.scenes(_frames(drawn, 3, "a")), analyzer.scenes(_frames(other, 3, "b")), strict=True)
        assert [list(scenes) for scenes in zip(*in_turn, strict=True)] == alone
    assert alone[0][0].hands


def test_a_camera_and_an_address_can_be_streamed(
    analyzer: Analyzer, drawn: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def fake(spec: str) -> FakeLiveSource:
        opened.append(spec)
        return FakeLiveSource([drawn] * 3, fps=50)

    monkeypatch.setattr("mien.pipeline.frames.open_live", fake)
    for source in (0, "rtsp://me:s3cret@cam/x"):
        assert next(analyzer.stream(source)).faces
    assert opened == ["0", "rtsp://me:s3cret@cam/x"]
    with pytest.raises(InputError, match="A source must be a path, an address or the number of a camera, got NoneType"):
        next(analyzer.stream(None))  # type: ignore[arg-type]


def test_an_address_that_cannot_be_reached_shows_no_password(analyzer: Analyzer) -> None:
    with pytest.raises(InputError) as raised:
        list(analyzer.stream("http://me:s3cret@127.0.0.1:9/x?token=s3cret"))
    assert "127.0.0.1:9/x" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_crop_in_any_form_and_from_threads(drawn: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "crop.png"
    path.write_bytes(encode_image(drawn, ".png"))
    with CropReader("emotion", Options(threads=1)) as reader:
        expected = reader.read(drawn)
        with path.open("rb") as file:
            assert [reader.read(form) for form in (path, str(path), path.read_bytes(), file)] == [expected] * 4
        with pytest.raises(InputError, match="uint8, 0 to 255, got float64"):
            reader.read(drawn / 255)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(reader.read, [drawn] * 8)) == [expected] * 8


def test_to_json_is_a_line_of_the_records(analyzer: Analyzer, drawn: NDArray[np.uint8], tmp_path: Path) -> None:
    scene = analyzer.look(drawn)
    assert json.loads(scene.to_json()) == scene.to_dict()
    with JsonlWriter(tmp_path / "a.jsonl") as records:
        records.write(scene)
    assert (tmp_path / "a.jsonl").read_text("utf-8") == scene.to_json() + "\n"
    assert Scene.from_dict(json.loads(scene.to_json())).to_json() == scene.to_json()


def test_a_drawn_hand_and_face_are_found_and_read() -> None:
    with Analyzer(Options(follow=False)) as analyzer:
        scene = analyzer.look(np.asarray(demo_frame(30), np.uint8))
    assert [face.label for face in scene.faces] == ["happy"]
    assert [hand.label for hand in scene.hands] == ["victory"]


def test_faces_of_a_video_are_followed_and_photos_searched(drawn: NDArray[np.uint8]) -> None:
    """In a video one frame in a quarter of a second is searched, live or not; a photo is always."""
    for follow in (False, True):
        with Analyzer(Options(tasks=("emotion",), threads=1, follow=follow)) as analyzer:
            detector = analyzer._faces
            assert detector is not None
            asked: list[bool] = []
            real = detector.follow

            def noted(
                image_rgb: NDArray[np.uint8],
                previous: Sequence[Face],
                *,
                search: bool = False,
                thorough: bool = True,
                asked: list[bool] = asked,
                real: Callable[..., tuple[Face, ...]] = real,
            ) -> tuple[Face, ...]:
                asked.append(search)
                return real(image_rgb, previous, search=search, thorough=thorough)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(detector, "follow", noted)
                scenes = list(analyzer.scenes(Frame(drawn, k, k / 30) for k in range(30)))
                assert analyzer.look(drawn).faces
            assert len(asked) == 29, "the first frame is searched without following"
            assert sum(asked) in (4, 5)
            assert all(len(scene.faces) == 1 and scene.faces[0].track == 1 for scene in scenes)


@pytest.mark.parametrize(("fps", "late"), [(30, 7), (12, 2), (7, 0)])
def test_a_new_face_of_a_video_is_seen_within_a_quarter_of_a_second(
    drawn: NDArray[np.uint8], fps: int, late: int
) -> None:
    empty = np.full_like(drawn, 200)
    waits = set()
    for first in range(7, 15):
        with Analyzer(Options(tasks=("emotion",), threads=1)) as analyzer:
            frames = [Frame(empty if k < first else drawn, k, k / fps) for k in range(first + 9)]
            seen = [scene.frame for scene in analyzer.scenes(frames) if scene.faces]
        waits.add(seen[0] - first)
        assert seen == list(range(seen[0], first + 9))
    assert max(waits) <= late


def test_no_face_is_followed_where_every_frame_is_searched_anyway(drawn: NDArray[np.uint8]) -> None:
    with Analyzer(Options(tasks=("emotion",), threads=1)) as analyzer, pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyzer._faces, "follow", None)
        scenes = list(analyzer.scenes(Frame(drawn, k, k / 7) for k in range(5)))
    assert [len(scene.faces) for scene in scenes] == [1] * 5


@pytest.mark.parametrize("follow", [False, True])
def test_a_sequence_that_recalls_a_memory_finds_what_its_giver_finds(follow: bool) -> None:
    """Written down as JSON in between, hands that are followed too; one that recalls nothing searches anew."""
    frames = [
        Frame(np.ascontiguousarray(demo_frame(30 + index)[::2, ::2]), index, index / 25, "clip.mp4")
        for index in range(14)
    ]

    def found(scene: Scene) -> list[tuple[float, ...]]:
        return [seen.box_xyxy for seen in (*scene.faces, *scene.hands)]

    with Analyzer(Options(follow=follow, threads=1)) as analyzer:
        giver, taker = analyzer.sequence(), analyzer.sequence()
        for frame in frames[:9]:
            giver.step(frame)
        memory = json.loads(json.dumps(giver.memory(frames[9].time_s)))
        assert ("hands" in memory, memory["faces"]["found"] != []) == (follow, True)
        taker.recall(memory)
        assert json.loads(json.dumps(taker.memory(frames[9].time_s))) == memory
        later = [giver.step(frame) for frame in frames[9:]]
        assert [found(taker.step(frame)) for frame in frames[9:]] == [found(scene) for scene in later]
        taker.recall({})
        assert taker.memory(frames[9].time_s) == {}


def test_an_unknown_detail_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'normal'"):
        Options(detail="norml")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def calm() -> NDArray[np.uint8]:
    return np.asarray(draw_face("neutral"), np.uint8)


def test_a_neutral_face_is_the_reference(analyzer: Analyzer, calm: NDArray[np.uint8]) -> None:
    smile = np.asarray(draw_face("happy"), np.uint8)
    alone = analyzer.look(calm).faces[0]
    with Analyzer(Options(tasks=("emotion",), threads=1, baseline=calm)) as relative:
        found = relative.look(calm).faces[0]
        assert (found.label, found.grade) == ("neutral", "sure")
        assert found.prediction is not None
        assert found.prediction.baseline
        assert found.to_dict()["baseline"] is True
        changed = relative.look(smile).faces[0]
        assert changed.probabilities["happy"] > found.probabilities["happy"]
        relative.use_baseline(None)
        assert relative.look(calm).faces[0].probabilities == pytest.approx(dict(alone.probabilities))
    assert alone.prediction is not None
    assert "baseline" not in alone.to_dict()


def test_a_baseline_that_is_none_says_why(calm: NDArray[np.uint8]) -> None:
    empty = np.full((200, 200, 3), 90, np.uint8)
    with pytest.raises(InputError, match="must show one face, with a neutral expression; found 0 faces"):
        Analyzer(Options(tasks=("emotion",), threads=1, baseline=empty))
    with pytest.raises(InputError, match="faces are not looked for"):
        Options(tasks=("gesture",), baseline=calm)
    with pytest.raises(InputError, match="give only one of them"):
        Options(baseline=calm, baseline_s=5.0)
    with pytest.raises(InputError, match="seconds above 0, got 0"):
        Options(baseline_s=0)


def test_a_baseline_that_smiles_is_used_and_told(calm: NDArray[np.uint8], caplog: pytest.LogCaptureFixture) -> None:
    """Some people look happy at rest, so it may be right."""
    smile = np.asarray(draw_face("happy"), np.uint8)
    for baseline, told in ((calm, False), (smile, True)):
        caplog.clear()
        with Analyzer(Options(tasks=("emotion",), threads=1, baseline=baseline)) as relative:
            assert relative.look(baseline).faces[0].label == "neutral"
        assert any("is surely read as happy" in record.getMessage() for record in caplog.records) == told


def test_a_neutral_face_is_learned_from_a_video(calm: NDArray[np.uint8]) -> None:
    with Analyzer(Options(tasks=("emotion",), threads=1)) as learner:
        learner.learn_baselines(1.0)
        told = [scene.faces[0].prediction for scene in learner.scenes(_frames(calm, 14, "calm"))]
    known = [prediction is not None and prediction.baseline for prediction in told]
    assert known == [False] * 10 + [True] * 4


def test_one_name_is_no_sequence_of_tasks() -> None:
    with pytest.raises(InvalidOption, match=r"got 'emotion'; write \('emotion',\)"):
        Options(tasks="emotion")  # type: ignore[arg-type]

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.artwork.drawings import draw_hand
from mien.artwork.hand import POSES, Finger, HandPose
from mien.errors import UnreadableMedia
from mien.outputs.video import VideoWriter
from mien.pixels.images import write_image
from mien.sources import FakeSource
from mien.teach import Lesson
from mien.window.status import Command, Status

Run = Callable[..., Any]
Pictures = list[NDArray[np.uint8]]

_CURL = (82.0, 98.0, 50.0)


@pytest.fixture(scope="module")
def hands() -> Iterator[Callable[..., Pictures]]:
    """Drawn hands of a pose, moved and foreshortened in many ways; `little` is a little finger alone."""
    folded = {name: Finger(0, _CURL) for name in ("index", "middle", "ring")}
    POSES["little"] = HandPose(POSES["rock"].thumb, {**folded, "little": Finger(-14)})

    def draw(gesture: str, count: int = 20, *, first: int = 0, people: tuple[str, ...] = ("ada", "ben")) -> Pictures:
        pictures = []
        for i in range(first, first + count):
            rng = np.random.default_rng(i)
            turn = rng.uniform(-0.5, 0.5)
            image = draw_hand(gesture, person=people[i % len(people)], left=i % 3 == 0, size=320, angle=turn)
            wide, high = rng.uniform(0.7, 1.0, 2)
            small = cv2.resize(image, (round(320 * wide), round(320 * high)), interpolation=cv2.INTER_AREA)
            picture = np.full_like(image, image[0, 0])
            picture[: small.shape[0], : small.shape[1]] = small
            pictures.append(picture)
        return pictures

    yield draw
    del POSES["little"]


@pytest.fixture(scope="module")
def clip(hands: Callable[..., Pictures], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "little.mp4"
    with VideoWriter(path, 5.0, (320, 320)) as video:
        for picture in hands("little"):
            video.write(picture)
    return path


def test_taught_from_a_video_and_from_photos_then_read(
    mien: Run, hands: Callable[..., Pictures], clip: Path, tmp_path: Path
) -> None:
    model, folder = tmp_path / "我的", tmp_path / "photos"
    first = mien("teach", "小指", "--from", clip, "--model", model)
    assert first.code == 0, first.err
    assert "小指: 20 examples (video)" in first.out
    assert "Fitted in" in first.out
    assert "its only take" in first.out
    folder.mkdir()
    for i, picture in enumerate(hands("none", first=100)):
        write_image(folder / f"{i}.png", picture)
    second = mien("teach", "three fingers", "--from", folder, "--model", model)
    assert second.code == 0, second.err
    assert "knows 小指, three fingers and" in second.out
    for gesture, label in (("little", "小指"), ("none", "three fingers"), ("victory", "victory")):
        right = 0
        for i, picture in enumerate(hands(gesture, 5, first=300, people=("dia", "chen"))):
            write_image(tmp_path / f"{gesture}{i}.png", picture)
        looked = mien(
            "look", tmp_path / f"{gesture}*.png", "--task", "gesture", "--gesture-model", model, "--jsonl", "-"
        )
        assert looked.code == 0, looked.err
        for line in looked.out.splitlines():
            right += any(hand["label"] == label for hand in json.loads(line)["hands"])
        assert right >= 4, (gesture, right)
    only = mien("look", tmp_path / "little0.png", "--task", "gesture", "--gesture-model", model, "--gestures", "小指")
    assert "小指" in only.out
    listed = mien("teach", "--list", "--model", model)
    assert [line.split("  ")[0] for line in listed.out.splitlines()[1:]] == ["小指".ljust(0), "three fingers"]
    assert (
        mien("teach", "--forget", "小指", "--model", model).out == f"Forgot 小指; {model} still knows three fingers.\n"
    )
    again = mien("look", tmp_path / "little0.png", "--task", "gesture", "--gesture-model", model, "--gestures", "小指")
    assert again.code == 2
    assert mien("teach", "--forget", "three fingers", "--model", model).code == 0
    assert not model.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "give a NAME to teach"),
        (("", "--from", "CLIP"), 2, "1 to 40 printable characters"),
        (("", "--list"), 2, "NAME and --list"),
        (("x",), 2, "a camera, video or folder that shows the gesture"),
        (("x", "--list"), 2, "NAME and --list"),
        (("--list", "--from", "0"), 2, "give its NAME too"),
        (("victory", "--from", "CLIP"), 2, "knows victory already"),
        (("a,b", "--from", "CLIP"), 2, "without a comma"),
        (("x", "--from", "nowhere.mp4"), 1, "no such file"),
        (("x", "--from", "CLIP", "--model", "OTHER"), 2, "nothing was taught into it"),
        (("x", "--from", "CLIP", "--model", "gesture_landmark"), 2, "a model in the package"),
        (("--list",), 2, "there is no such folder"),
        (("--list", "--model", "OTHER"), 2, "nothing was taught into it"),
        (("--forget", "x", "--model", "OTHER"), 2, "nothing was taught into it"),
        (("x", "--from", "97"), 1, "camera 97"),
    ],
)
def test_wrong_use_gets_a_sentence(
    mien: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    ended = mien("teach", *[{"CLIP": clip, "OTHER": other}.get(word, word) for word in words])
    assert ended.code == code, ended.err
    assert said in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_without_onnx_the_extra_is_named_before_anything_is_looked_at(
    mien: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = mien("teach", "x", "--from", clip, "--model", tmp_path / "m")
    assert ended.code == 1
    assert ended.err == "mien: This needs onnx, which is not installed; run: pip install 'mien[teach]'\n"


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch, hands: Callable[..., Pictures]) -> Callable[[Pictures], None]:
    """A camera that shows pictures, ten per second of its own time."""

    # A shorter lesson than that of a user, who has the time.
    monkeypatch.setattr("mien.teach.lesson.COUNTDOWN_S", 0.5)
    monkeypatch.setattr("mien.teach.Lesson", partial(Lesson, enough=12))

    def use(pictures: Pictures, error: Exception | None = None) -> None:
        source = FakeSource(pictures, fps=10, name="camera 0", error=error)
        source.is_live = True
        monkeypatch.setattr("mien.cli.teach.open_live", lambda _: source)

    return use


def test_before_a_camera_without_a_window(
    mien: Run, hands: Callable[..., Pictures], camera: Callable[[Pictures], None], tmp_path: Path
) -> None:
    camera(hands("little", 30))
    ended = mien("teach", "pinky", "--from", "0", "--headless", "--model", tmp_path / "m")
    assert ended.code == 0, ended.err
    said = ended.sentences
    assert said[0] == "Get ready to show pinky: 1"
    assert said[-1].startswith("Enough: 12 different examples")
    assert "12 different" in ended.out
    assert "(camera)" in ended.out


def test_a_camera_that_sees_nobody_changes_nothing(
    mien: Run, camera: Callable[[Pictures], None], tmp_path: Path
) -> None:
    camera(30 * [np.full((320, 320, 3), 90, np.uint8)])
    ended = mien("teach", "pinky", "--from", "0", "--headless", "--seconds", "2", "--model", tmp_path / "m")
    assert ended.code == 1
    assert "No hand is seen: show pinky" in ended.err
    assert "No hand was seen in 21 frames of the camera" in ended.err
    assert not (tmp_path / "m").exists()


def test_a_camera_that_goes_away_leaves_what_it_showed(
    mien: Run, hands: Callable[..., Pictures], camera: Callable[..., None], tmp_path: Path
) -> None:
    gone = UnreadableMedia("camera 0 is gone; connect it again.")
    camera(hands("little", 16), error=gone)  # five of the countdown, then eleven
    ended = mien("teach", "pinky", "--from", "0", "--headless", "--model", tmp_path / "m")
    assert ended.code == 1
    assert ended.sentences[-1] == f"mien: {gone}"
    assert "pinky: 11 examples (camera), " in ended.out
    assert "pinky" in mien("teach", "--list", "--model", tmp_path / "m").out
    camera(hands("little", 3), error=gone)
    ended = mien("teach", "wave", "--from", "0", "--headless", "--model", tmp_path / "n")
    assert (ended.code, ended.out) == (1, "")
    assert ended.sentences[-1] == f"mien: {gone}"
    assert not (tmp_path / "n").exists()


def test_a_truncated_video_teaches_what_it_has(mien: Run, hands: Callable[..., Pictures], tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    with VideoWriter(path, 5.0, (320, 320)) as video:
        for picture in hands("little", 30):
            video.write(picture)
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    ended = mien("teach", "pinky", "--from", path, "--model", tmp_path / "m")
    assert ended.code == 1
    (problem,) = ended.sentences
    assert re.search(r"cut\.mp4 is truncated: \d+ of 30 announced frames could be read and were kept", problem)
    assert re.search(r"pinky: (1[5-9]|2\d) examples \(video\)", ended.out)
    assert (tmp_path / "m" / "model.onnx").is_file()


def test_it_speaks_chinese(
    mien: Run, hands: Callable[..., Pictures], clip: Path, camera: Callable[..., None], tmp_path: Path
) -> None:
    model = tmp_path / "我的"

    def said(*words: object) -> str:
        ended = mien("teach", *words, "--model", model, "--language", "zh")
        assert ended.code == 0, ended.err
        told = str(ended.out + ended.err)
        strange = re.sub(r"\S*[/.]\S*|mien live --gesture-model", "", told)
        assert not re.search("[a-z]{3,}", strange), strange
        return told

    first = said("小指", "--from", clip).splitlines()
    assert re.fullmatch(r"小指：20 个样本（视频），互不相同的有 \d+ 个，最好有 40 个：.*。", first[0])
    assert re.fullmatch(
        rf"训练用了 \d+\.\d 秒；{re.escape(str(model))} 现在认得小指，自带的手势也照样认得。", first[-5]
    )
    assert first[-1] == f"试试看：mien live --gesture-model {model}"
    camera(hands("none", 30))
    live = said("三指", "--from", "0", "--headless").splitlines()
    assert "请准备比出“三指”：1" in live
    assert any(line.startswith("够了：12 个不同的样本") for line in live)
    assert any("现在认得小指、三指" in line for line in live)
    assert said("--list").splitlines()[0].split() == ["手势", "采集次数", "样本数", "认对", "有把握", "最近一次"]
    plain = said("--list", "--plain").splitlines()
    assert plain[:2] == ["小指，采集次数：1", "小指，样本数：20"]
    assert said("--forget", "三指") == f"已忘掉“三指”；{model} 还认得小指。\n"
    assert said("--forget", "小指") == f"已忘掉“小指”；它是最后一个手势，{model} 已经删除。\n"


def test_batch_and_bench_take_a_taught_model(
    mien: Run, hands: Callable[..., Pictures], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    assert mien("teach", "小指", "--from", clip, "--model", "mine").code == 0
    for i, picture in enumerate(hands("little", 5, first=300, people=("dia", "chen"))):
        write_image(tmp_path / f"{i}.png", picture)
    out = tmp_path / "out"
    batch = (
        "batch",
        *tmp_path.glob("?.png"),
        "--task",
        "gesture",
        "--gesture-model",
        "mine",
        "--out",
        out,
        "--jobs",
        1,
    )
    ended = mien(*batch)
    assert ended.code == 0, ended.err
    rows = [row for part in sorted((out / "parts").glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
    assert sum(row["label"] == "小指" for row in rows) >= 4
    assert "小指" in mien("summarize", out).out
    assert mien("teach", "小指", "--from", clip, "--model", "mine").code == 0
    other = mien(*batch)  # what was taught since decides about the rows, too
    assert other.code == 2
    assert "gesture model: " in other.err
    kept = tmp_path / "bench.json"
    bench = (
        "bench",
        tmp_path / "0.png",
        "--task",
        "gesture",
        "--rounds",
        10,
        "--gesture-model",
        "mine",
        "--json",
        kept,
    )
    assert mien(*bench, "--threads", 1).code == 0
    assert json.loads(kept.read_text())["models"]["gesture"].startswith("mine 2")
    refused = mien("bench", "--gesture-model", "nowhere")
    assert refused.code == 2
    assert "nowhere" in refused.err


class FakeWindow:
    """Counts what it is shown; asks to quit after some pictures."""

    shown: list[Status]

    def __init__(self, quit_after: int = 10**6) -> None:
        self.shown = []
        self._quit_after = quit_after

    def __enter__(self) -> FakeWindow:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, scene: Any, status: Status) -> tuple[Command, ...]:
        assert scene.image_rgb is not None
        self.shown.append(status)
        return (Command.QUIT,) if len(self.shown) >= self._quit_after else ()


def test_in_a_window(
    mien: Run,
    hands: Callable[..., Pictures],
    camera: Callable[[Pictures], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    window = FakeWindow()
    monkeypatch.setattr("mien.window.window.Window", lambda **_: window)
    camera(hands("little", 30))
    assert mien("teach", "pinky", "--from", "0", "--model", tmp_path / "m").code == 0
    shares = [status.progress or 0.0 for status in window.shown]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert window.shown[0].caption == "Get ready to show pinky: 1"
    stopped = FakeWindow(quit_after=9)
    monkeypatch.setattr("mien.window.window.Window", lambda **_: stopped)
    camera(hands("little", 30))
    ended = mien("teach", "wave", "--from", "0", "--model", tmp_path / "m")
    assert ended.code == 1
    assert "nothing was changed" in ended.err
    assert "wave" not in mien("teach", "--list", "--model", tmp_path / "m").out

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import __version__
from mien.models.artifact import zoo_artifact, zoo_names
from mien.pixels.images import read_image, write_image
from mien.pixels.preprocess import InputSpec, crop_face
from mien.stages.classify import EMOTION_MODEL

Run = Callable[..., object]


def test_version_and_help(mien: Run) -> None:
    assert mien("--version").out == f"mien {__version__}\n"
    for verb in ("look", "classify", "models", "doctor", "bench", "demo", "train", "export"):
        ended = mien(verb, "--help")
        assert ended.code == 0
        assert "Usage: mien" in ended.out


@pytest.mark.parametrize("verb", [("look",), ("classify", "emotion"), ("live", "--headless", "--mute"), ("bench",)])
def test_a_provider_that_is_not_here_is_refused_with_what_is(mien: Run, photo: Path, verb: tuple[str, ...]) -> None:
    for name, words in (("coreml", "it has "), ("abacus", "There is no provider 'abacus'; available: ")):
        if name == "coreml" and sys.platform == "darwin":
            continue
        ended = mien(*verb, photo, "--provider", name)
        assert ended.code in (1, 2)
        assert words in ended.err
        assert "cpu" in ended.err


def test_the_doctor_names_the_providers(mien: Run) -> None:
    (line,) = (line for line in mien("doctor").out.splitlines() if "providers" in line)
    assert line.startswith("ok")
    assert "cpu" in line
    assert "Azure" not in line


def test_classify_emotion_takes_the_picture_as_the_face(mien: Run, photo: Path, tmp_path: Path) -> None:
    face = json.loads(mien("look", photo, "--jsonl", "-").out)["faces"][0]
    crop = crop_face(read_image(photo), tuple(face["box"]), InputSpec(size_hw=(192, 192), margin=0.1))
    write_image(tmp_path / "b.png", crop)
    write_image(tmp_path / "a.png", crop[:, ::-1].copy())
    ended = mien("classify", "emotion", tmp_path / "b.png", tmp_path / "a.png", "--jsonl", "-")
    assert ended.code == 0
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert [Path(record["source"]).name for record in records] == ["b.png", "a.png"], "the order given is kept"
    assert list(records[0]) == ["source", "label", "confidence", "uncertain", "grade", "scores", "model"]
    assert records[0]["model"]["name"] == EMOTION_MODEL
    assert "detector" not in records[0]["model"], "the picture is the face"
    assert sum(records[0]["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_classify_gesture_without_a_hand_is_none(mien: Run, tmp_path: Path) -> None:
    write_image(tmp_path / "grey.png", np.full((120, 120, 3), 128, np.uint8))
    record = json.loads(mien("classify", "gesture", tmp_path / "grey.png", "--jsonl", "-").out)
    assert record["label"] == "none"


def test_classify_goes_on_after_a_bad_file(mien: Run, photo: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    ended = mien("classify", "emotion", tmp_path / "bad.jpg", photo)
    assert ended.code == 1
    assert len(ended.sentences) == 1
    assert len(ended.out.splitlines()) == 1


def test_threshold_decides_what_is_uncertain(mien: Run, photo: Path) -> None:
    for threshold, uncertain in ((0.0, False), (1.0, True)):
        ended = mien("classify", "emotion", photo, "--threshold", threshold, "--jsonl", "-")
        record = json.loads(ended.out)
        assert record["uncertain"] is uncertain
        assert record["model"]["threshold"] == threshold


def test_models_lists_all_and_shows_a_card(mien: Run) -> None:
    listed = mien("models").out
    for name in zoo_names():
        assert name in listed
    card = mien("models", "emotion_residual").out
    assert card.startswith("# emotion_residual")
    assert "Out of scope" in card


def test_doctor_says_what_may_use_the_network(mien: Run) -> None:
    line = next(line for line in mien("doctor").out.splitlines() if line.split()[1] == "network")
    assert "a stream whose address you give" in line
    assert "mien train --weights hub" in line
    assert "nothing else" not in line


def test_doctor_finds_everything_well(mien: Run) -> None:
    ended = mien("doctor")
    assert ended.code == 0, ended.out
    assert "All of the package works here." in ended.out
    for word in ("onnxruntime", "extra train", "cpu; --provider", "camera", "sound", *zoo_names()):
        assert word in ended.out


def test_doctor_names_every_package_that_mien_always_needs(mien: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    wanted = re.findall(r'"([^"]+)"', project.partition("dependencies = [")[2].partition("\n]")[0])
    names = [re.split(r"[<>=]", each)[0] for each in wanted if ";" not in each]
    assert {"av", "pillow", "pi-heif", "numpy"} <= set(names)
    told = mien("doctor").out.splitlines()
    for name in names:
        assert any(line.startswith("ok") and line.split()[1] == name for line in told), name
    version = metadata.version

    def without_av(name: str) -> str:
        if name == "av":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_av)
    ended = mien("doctor")
    assert ended.code == 1
    assert any(line.split() == ["BAD", "av", "not", "installed"] for line in ended.out.splitlines())


def test_doctor_checks_that_nothing_reports(mien: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mien("doctor").code == 0  # onnxruntime is imported from here on
    told = next(line for line in mien("doctor").out.splitlines() if "telemetry" in line)
    assert told.startswith("ok")
    assert "ORT_DISABLE_TELEMETRY=1" in told
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")  # as if somebody had imported it before, without the variable
    ended = mien("doctor")
    told = next(line for line in ended.out.splitlines() if "telemetry" in line)
    assert told.startswith("BAD")
    assert ended.code == 1


def test_doctor_reports_a_damaged_model(mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo = tmp_path / "zoo"
    shutil.copytree(zoo_artifact("emotion_residual").folder.parent, zoo)
    with (zoo / "emotion_residual" / "model.onnx").open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr("mien.models.artifact._ZOO", zoo)
    ended = mien("doctor")
    assert ended.code == 1
    assert "BAD" in ended.out
    assert "1 problem." in ended.out


def _doctor_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, platform: str, opens: tuple[int, ...]) -> list[int]:
    """A machine whose devices are files; the numbers that OpenCV is asked for are noted."""
    asked: list[int] = []

    class Capture:
        def __init__(self, index: int, *_: int) -> None:
            asked.append(index)
            self.index = index

        def isOpened(self) -> bool:  # noqa: N802
            return self.index in opens

        def read(self) -> tuple[bool, np.ndarray]:
            return True, np.zeros((480, 640, 3), np.uint8)

        def release(self) -> None:
            pass

    monkeypatch.setattr("mien.sources.cameras._DEV", tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    monkeypatch.setattr("mien.cli.doctor._models", lambda: iter(()))
    monkeypatch.setattr("mien.cli.doctor._video", lambda: iter(()))
    return asked


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices of Linux")
def test_doctor_lists_cameras_and_switches_none_on_unasked(
    mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _doctor_of(monkeypatch, tmp_path, platform="linux", opens=(0,))
    assert "none found" in mien("doctor").out
    for index in (0, 2):
        (tmp_path / f"video{index}").touch()
    assert mien("doctor").out.count("ok  camera") == 2
    assert asked == []
    ended = mien("doctor", "--cameras")
    assert asked == [0, 2]
    lines = [line for line in ended.out.splitlines() if "camera" in line]
    assert lines[0].startswith("ok")
    assert lines[0].endswith("delivers 640 x 480 pixels")
    assert lines[1].startswith("-")
    assert "in use by another program" in lines[1]
    assert ended.code == 0, "a camera in use is no fault of the package"


def test_doctor_elsewhere_looks_for_cameras_only_when_asked(
    mien: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _doctor_of(monkeypatch, tmp_path, platform="darwin", opens=(1,))
    out = mien("doctor").out
    assert "switches its light on" in out
    assert "mien doctor --cameras" in out
    assert asked == []
    out = mien("doctor", "--cameras").out
    assert asked == [0, 1, 2, 3, 4]
    assert "number 1: delivers 640 x 480 pixels" in out
    assert out.count("camera ") == 1


def test_bench_prints_every_stage(mien: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.cli.bench._CLIP_FRAMES", 5)
    ended = mien("bench", "--rounds", 10)
    assert ended.code == 0
    for stage in ("find faces", "read expressions", "find hands", "read gestures", "whole frame"):
        assert stage in ended.out
    assert "1 face, 1 hand, 10 frames" in ended.out


def test_bench_refuses_an_odd_size(mien: Run) -> None:
    ended = mien("bench", "--size", "big")
    assert ended.code == 2
    assert "640x480" in ended.err


def test_train_refuses_what_it_does_not_know(mien: Run, tmp_path: Path) -> None:
    assert "emotion" in mien("train", "emotoin", "--data", tmp_path).err
    ended = mien("train", "emotion", "--data", tmp_path, "--set", "fit.epoch=3")
    assert ended.code == 2
    assert "epochs" in ended.err
    assert mien("train", "emotion", "--data", tmp_path, "--set", "fit.epochs").code == 2
    ended = mien("train", "emotion", "--data", tmp_path / "none.csv", "--votes", tmp_path / "none.csv")
    assert ended.code == 1
    assert len(ended.sentences) == 1


def test_export_wants_a_run(mien: Run, tmp_path: Path) -> None:
    ended = mien("export", tmp_path / "nothing", tmp_path / "model", "--data", tmp_path)
    assert ended.code == 1
    assert "no trained run" in ended.err

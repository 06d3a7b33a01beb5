"""A gesture model that looks at pictures instead of landmarks: from folders of letters to look, classify and live."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.artwork.drawings import demo_frame
from mien.labels import GESTURES_4
from mien.models.artifact import load_artifact
from mien.pixels.images import write_image
from mien.pixels.preprocess import crop_hand, fit_crop
from mien.stages.hands import HandDetector

Run = Callable[..., object]
COLOURS = {"L": (220, 40, 40), "A": (40, 200, 60), "F": (40, 60, 220), "V": (230, 220, 40)}
RECIPE = """
name = "pictures"
task = "gesture"
label_set = "gestures4"
[input]
size_hw = [32, 32]
colour = "rgb"
margin = 0.25
mean = [0.5]
std = [0.25]
[data]
kind = "images"
clean = false
[network]
name = "residual_cnn"
widths = [8, 16]
dropout = 0.0
[fit]
epochs = 30
batch = 16
optimizer = "adam"
rate = 5e-3
"""


@pytest.fixture
def model(mien: Run, tmp_path: Path) -> Path:
    """A model folder, exported from a run on pictures of one colour a letter."""
    random = np.random.default_rng(0)
    for split, count in (("train", 16), ("val", 3)):
        for letter, colour in COLOURS.items():
            for i in range(count):
                image = np.clip(np.array(colour) + random.normal(0, 12, (40, 40, 3)), 0, 255).astype(np.uint8)
                write_image(tmp_path / "letters" / split / letter / f"{letter}{i}.png", image)
    (tmp_path / "pictures.toml").write_text(RECIPE, "utf-8")
    run, folder = tmp_path / "run", tmp_path / "my_gestures"
    on = ("--data", tmp_path / "letters")
    trained = mien("train", tmp_path / "pictures.toml", *on, "--out", run, "--device", "cpu", "--threads", 1)
    assert trained.code == 0, trained.err
    exported = mien("export", run, folder, *on)
    assert exported.code == 0, exported.err
    return folder


@pytest.mark.slow
def test_every_verb_uses_it(mien: Run, model: Path, tmp_path: Path) -> None:
    manifest = load_artifact(model).manifest
    assert (manifest.name, manifest.input.kind, manifest.input.margin) == ("my_gestures", "image", 0.25)

    crops = [tmp_path / "letters" / "val" / letter / f"{letter}0.png" for letter in COLOURS]
    told = mien("classify", "gesture", *crops, "--model", model, "--jsonl", "-")
    answers = [json.loads(line) for line in told.out.splitlines()]
    assert [answer["label"] for answer in answers] == ["loser", "punch", "super", "victory"]
    assert [set(answer["scores"]) for answer in answers] == [set(GESTURES_4.labels)] * 4

    image = demo_frame(30)
    write_image(tmp_path / "people.png", image)
    looked = mien("look", tmp_path / "people.png", "--gesture-model", model, "--jsonl", "-")
    assert looked.code == 0, looked.err
    (scene,) = [json.loads(line) for line in looked.out.splitlines()]
    assert len(scene["hands"]) == 1
    assert scene["faces"]
    assert sum(scene["hands"][0]["scores"].values()) == pytest.approx(1, abs=1e-3)

    # What it answered for the hand in the picture is what it answers for the crop of it that training would make.
    with HandDetector() as detector:
        (found,) = detector.detect(image)
    crop = tmp_path / "crop.png"
    write_image(crop, crop_hand(image, found.box_xyxy, manifest.input))
    assert fit_crop(crop_hand(image, found.box_xyxy, manifest.input), manifest.input).shape == (32, 32, 3)
    (alone,) = [
        json.loads(line)
        for line in mien("classify", "gesture", crop, "--model", model, "--jsonl", "-").out.splitlines()
    ]
    assert alone["scores"] == pytest.approx(scene["hands"][0]["scores"], abs=2e-3)
    found_too = mien("classify", "gesture", tmp_path / "people.png", "--find", "--model", model, "--jsonl", "-")
    assert json.loads(found_too.out)["scores"] == pytest.approx(alone["scores"], abs=2e-3)

    measured = mien("evaluate", model, "--data", tmp_path / "letters", "--split", "validation", "--out", tmp_path / "r")
    assert measured.code == 0, measured.err
    assert "100.00 %" in measured.out


@pytest.mark.slow
def test_live_uses_it(mien: Run, model: Path, clip: Path, tmp_path: Path) -> None:
    records = tmp_path / "frames.jsonl"
    lived = mien("live", clip, "--headless", "--mute", "--quiet", "--gesture-model", model, "--jsonl", records)
    assert lived.code == 0, lived.err
    hands = [hand for line in records.read_text("utf-8").splitlines() for hand in json.loads(line)["hands"]]
    assert all(set(hand["scores"]) <= set(GESTURES_4.labels) for hand in hands)
    assert hands, "the clip shows a hand"

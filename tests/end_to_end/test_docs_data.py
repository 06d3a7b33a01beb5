"""The commands of docs/data.md, in the order of the page, as they stand there, on small made-up inputs."""

from __future__ import annotations

import csv
import json
import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.artwork.drawings import demo_frame, draw_hand
from mien.cli.main import main
from mien.labels import EMOTIONS
from mien.outputs.video import VideoWriter
from mien.pixels.images import write_image

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

SMALLER = {
    "mien data asl asl_alphabet_train": "--first 4",
    "mien data collect": "--count 1",
    "mien train": "--set fit.epochs=1 --set fit.batch=16 --device cpu --threads 1",
}
"""What is added because the made-up inputs are small, or to be done soon."""


def _blocks() -> list[tuple[str, str]]:
    """The language and the text of every block of code, in order."""
    return BLOCK.findall(PAGE.read_text("utf-8"))


def _commands(text: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in text.splitlines()]


def _fer2013(folder: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (140, 48 * 48))
    images[131] = images[2]
    usages = ["Training"] * 8 + ["PublicTest", "PrivateTest"]
    with (folder / "fer2013.csv").open("w", newline="") as table, (folder / "fer2013new.csv").open("w") as ferplus:
        rows = csv.writer(table)
        rows.writerow(("emotion", "pixels", "Usage"))
        ferplus.write("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n")
        column = {"neutral": 0, "happy": 1, "surprise": 2, "sad": 3, "angry": 4, "disgust": 5, "fear": 6}
        for i, image in enumerate(images):
            usage = usages[i // 7 % 10]
            rows.writerow((i % 7, " ".join(map(str, image)), usage))
            votes = [0] * 10
            votes[column[EMOTIONS.labels[i % 7]]] = 10
            ferplus.write(f"{usage},fer{i:07}.png,{','.join(map(str, votes))}\n")


def _letters(folder: Path, name: str, file_name: str, letters: str = "LAFV", signers: int = 5) -> None:
    random = np.random.default_rng(len(name))
    for letter in [*letters, *(["other"] if name == "massey" else [])]:
        for number in range(1, 7):
            signer = 1 + number % signers
            path = folder / name / letter / file_name.format(letter=letter, low=letter.lower(), i=number, signer=signer)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, random.integers(0, 256, (32, 32, 3), np.uint8))


def _signers_of(folder: Path, name: str) -> None:
    paths = sorted((folder / name).rglob("*.png"))
    names = ("anna", "ben", "cleo", "dirk")
    lines = [f"{path.relative_to(folder / name).as_posix()},{names[i % 4]}" for i, path in enumerate(paths)]
    (folder / "signers.csv").write_text("\n".join(["file,group", *lines]) + "\n")


def _classes(folder: Path) -> None:
    random = np.random.default_rng(1)
    rows = ["path,label,group"]
    for label in ("happy", "sad"):
        for i in range(8):
            person = ("anna", "ben", "cleo", "dirk")[i % 4]
            path = folder / "pictures" / label / f"{person}{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, random.integers(0, 256, (48, 48, 3), np.uint8))
            rows.append(f"pictures/{label}/{path.name},{label},{person}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def _videos(folder: Path, drawn: NDArray[np.uint8]) -> None:
    for path in (folder / "clip.mp4", folder / "affwild" / "videos" / "one.mp4"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, 6.0, (drawn.shape[0], drawn.shape[1])) as video:
            for shift in range(10):
                video.write(np.roll(drawn, 4 * shift, axis=1))
    notes = folder / "affwild" / "annotations" / "one.txt"
    notes.parent.mkdir()
    names = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    notes.write_text("\n".join([names, *["4"] * 5, *["0"] * 5]) + "\n")
    write_image(folder / "photos.png", drawn)
    (folder / "holiday").mkdir()
    (folder / "photos.png").rename(folder / "holiday" / "one.png")


def _hands(folder: Path) -> None:
    """Letters of two data sets, and HaGRID as it is published: photos, and tables of boxes for each gesture."""
    letters = {"L": "loser", "A": "punch", "F": "super", "V": "victory"}
    for name, people in (("asl_alphabet", ("ada", "ben")), ("massey", ("chen",))):
        for i, person in enumerate(people):
            for letter, gesture in letters.items():
                path = folder / "hand_sets" / name / letter / f"hand{5 - i}_{letter.lower()}_{person}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_image(path, draw_hand(gesture, person=person, size=160))
    for gesture, drawn in (("palm", "none"), ("ok", "super")):
        photo = np.zeros((200, 400, 3), np.uint8)
        photo[:, :200] = draw_hand(drawn, person="ada", size=200)
        photo[:, 200:] = draw_hand("none", person="ben", size=200)
        path = folder / "hagrid" / gesture / f"{gesture}-0a.jpg"
        path.parent.mkdir(parents=True)
        write_image(path, photo)
        boxes = {"bboxes": [[0.05, 0.05, 0.4, 0.9], [0.55, 0.05, 0.4, 0.9]], "labels": [gesture, "no_gesture"]}
        table = folder / "hagrid" / "annotations" / f"{gesture}.json"
        table.parent.mkdir(exist_ok=True)
        table.write_text(json.dumps({f"{gesture}-0a": boxes | {"leading_hand": "right", "user_id": "x"}}))


class Camera:
    """A drawn person before OpenCV's camera."""

    def __init__(self, index: int, *_: object) -> None:
        self.index = index
        self.shown_bgr = np.ascontiguousarray(np.asarray(demo_frame(30), np.uint8)[..., ::-1])

    def isOpened(self) -> bool:  # noqa: N802
        return self.index == 0

    def grab(self) -> bool:
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8]]:
        return True, self.shown_bgr.copy()

    def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
        return self.read()

    def get(self, *_: object) -> float:
        return 0.0

    def set(self, *_: object) -> bool:
        return True

    def release(self) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with all that the page names, as the current one."""
    drawn: Any = np.asarray(demo_frame(30), np.uint8)
    _fer2013(tmp_path)
    _letters(tmp_path, "asl_alphabet_train", "{letter}{i}.jpg")
    _letters(tmp_path, "massey", "hand{signer}_{low[0]}_bot_seg_{i}_cropped.png")
    _letters(tmp_path, "letters", "{letter}{i}.png", "LAFVB")
    _signers_of(tmp_path, "letters")
    _classes(tmp_path)
    _videos(tmp_path, drawn)
    _hands(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    logging.getLogger("mien").setLevel(logging.NOTSET)  # `mien train` says more for the rest of its process


@pytest.mark.slow
def test_every_command_does_what_the_page_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = 0
    for language, text in _blocks():
        if language == "python":
            exec(compile(text, str(PAGE), "exec"), {})  # noqa: S102
            continue
        for words in _commands(text):
            line = shlex.join(words)
            added = next((words for start, words in SMALLER.items() if line.startswith(start)), "")
            assert words[0] == "mien", line
            with monkeypatch.context() as patch:
                if "--from 0" in line:
                    patch.setattr(cv2, "VideoCapture", Camera)
                code = main([*words[1:], *shlex.split(added)])
            said = capsys.readouterr()
            assert code == 0, f"{line}\n{said.out}{said.err}"
            done += 1
    assert done >= 20
    assert (folder / "runs" / "emotion" / "summary.json").is_file()
    crops = sorted(path.relative_to(folder / "hand_sets") for path in folder.glob("hand_sets/hands_many/*/*"))
    assert [path.as_posix() for path in crops] == [
        f"hands_many/{name}.jpg" for name in ("none/ok-0a", "none/palm-0a", "ok/ok-0a", "palm/palm-0a")
    ]
    trained = json.loads((folder / "runs" / "gesture_four" / "start.json").read_text())
    assert trained["provenance"] == "many_hands"


def test_options_of_the_page_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Those in the text as well as those of the commands."""
    assert main(["data", "--help"]) == 0
    helped = ""
    for verb in ("fer2013", "asl", "import", "collect", "duplicates", "explore"):
        assert main(["data", verb, "--help"]) == 0
        helped += capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    helped += capsys.readouterr().out
    for option in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE.read_text("utf-8")))):
        assert option in helped, option

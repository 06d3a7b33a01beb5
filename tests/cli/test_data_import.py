from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.data.dataset import Dataset, load_packed
from mien.data.readers.load import load_dataset
from mien.labels import EMOTIONS
from mien.pixels.images import read_image, write_image

Run = Callable[..., object]


def pictures(root: Path, *names: str) -> Path:
    """Pictures of one colour each, another for every one."""
    for i, name in enumerate(names):
        write_image(root / name, np.full((20, 30, 3), 10 + 5 * i, np.uint8))
    return root


def frames_of(root: Path, clip: Path, labels: str) -> Path:
    """A folder in Aff-Wild's layout with one video."""
    (root / "videos").mkdir(parents=True)
    (root / "annotations").mkdir()
    clip.rename(root / "videos" / clip.name)
    lines = ["Neutral,Anger,Happiness,Other", *labels]
    (root / "annotations" / f"{clip.stem}.txt").write_text("\n".join(lines))
    return root


def test_folders_are_copied_as_they_are(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", "Anger/1.png", "joy/2.png", "joy/3.png")
    ended = mien("data", "import", source, tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    assert "3 pictures (copies of the files), no groups known, labels emotions6" in ended.out
    assert "There are no pictures of fear, sad, surprise, neutral." in ended.out
    for name, label in (("Anger/1.png", "angry"), ("joy/2.png", "happy"), ("joy/3.png", "happy")):
        copy = tmp_path / "out/train" / label / Path(name).name
        assert copy.read_bytes() == (source / name).read_bytes()
    again = load_dataset(tmp_path / "out")
    assert again.counts()["train"]["happy"] == 2
    assert again.caveats == ("There are no pictures of fear, sad, surprise, neutral.",)


def test_a_size_makes_samples_of_it(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", "L/1.png", "V/2.png")
    assert mien("data", "import", source, tmp_path / "out", "--size", 16).code == 0
    assert read_image(tmp_path / "out/train/loser/1.png").shape == (16, 16, 3)
    assert mien("data", "import", source, tmp_path / "p.npz", "--layout", "packed", "--colour", "grey").code == 0
    packed = load_packed(tmp_path / "p.npz")
    assert packed.samples.shape == (2, 100, 100)
    assert packed.label_set.name == "gestures4"


def test_a_table_with_persons_is_split_by_them(mien: Run, tmp_path: Path) -> None:
    pictures(tmp_path, *(f"photos/{i}.png" for i in range(6)))
    table = tmp_path / "list.csv"
    rows = (f"photos/{i}.png,{'happy' if i % 2 else 'sad'},{'abc'[i // 2]}" for i in range(6))
    table.write_text("\n".join(["file,emotion,person", *rows]))
    ended = mien("data", "import", table, tmp_path / "out", "--validation", "b", "--test", "c")
    assert ended.code == 0
    assert "of 3 groups" in ended.out
    dataset = load_dataset(tmp_path / "out")
    split_of = dict(zip(dataset.groups.tolist(), dataset.split.tolist(), strict=True))
    assert split_of == {"a": "train", "b": "validation", "c": "test"}


def test_a_random_split_of_groups_needs_to_be_meant(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", *(f"{label}/{i}.png" for label in ("happy", "sad") for i in range(20)))
    words = ("data", "import", source, tmp_path / "out", "--group", "anna", "--split", "random")
    refused = mien(*words)
    assert refused.code == 1
    assert "--i-know" in refused.sentences[0]
    assert not (tmp_path / "out").exists()
    meant = mien(*words, "--i-know", "--fractions", "0.25,0.5", "--seed", "3")
    assert meant.code == 0
    assert "The split is random even though samples belong to groups" in meant.out
    dataset = load_dataset(tmp_path / "out")
    assert {split: sum(counts.values()) for split, counts in dataset.counts().items()} == {
        "train": 15,
        "validation": 15,
        "test": 10,
    }
    assert any("random" in caveat for caveat in dataset.caveats)


def test_pictures_are_cropped_to_the_face_that_is_found(mien: Run, drawn: NDArray[np.uint8], tmp_path: Path) -> None:
    write_image(tmp_path / "mine/happy/1.png", drawn)
    write_image(tmp_path / "mine/happy/none.png", np.full((200, 200, 3), 90, np.uint8))
    ended = mien("data", "import", tmp_path / "mine", tmp_path / "out", "--detect")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "none.png is left out: no face was found in it" in sentence
    assert load_dataset(tmp_path / "out").samples.shape == (1, 48, 48)


def test_frames_of_a_video_with_the_video_as_group(mien: Run, clip: Path, tmp_path: Path) -> None:
    source = frames_of(tmp_path / "wild", clip, "001122333222")
    ended = mien("data", "import", source, tmp_path / "out", "--every", 2)
    assert (ended.code, ended.err) == (0, "")
    assert "of 1 group, labels emotions" in ended.out
    assert "frames left out: Other 2" in ended.out
    dataset = load_dataset(tmp_path / "out")
    assert set(dataset.groups.tolist()) == {"clip"}
    counts = dataset.counts()["train"]
    assert (counts["neutral"], counts["angry"], counts["happy"]) == (1, 1, 2)
    hands = mien("data", "import", source, tmp_path / "hands", "--task", "gesture")
    assert hands.code == 0
    assert "frames left out: Happiness 5, Neutral 2, Anger 2" in hands.out, "these are no gestures, Other is none"


def test_a_video_that_breaks_off_gives_what_it_has(mien: Run, broken_clip: Path, tmp_path: Path) -> None:
    source = frames_of(tmp_path / "wild", broken_clip, "2" * 60)
    ended = mien("data", "import", source, tmp_path / "out", "--no-detect", "--every", 4)
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "broken.avi" in sentence
    assert 0 < len(load_dataset(tmp_path / "out")) < 15


def test_bad_files_are_named_and_the_rest_is_done(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", "happy/1.png", "sad/2.png")
    (source / "happy/bad.jpg").write_text("no picture")
    (source / "fear").mkdir()
    (source / "angry").mkdir()
    (source / "angry/bad.png").write_bytes(b"")
    for layout, out in (("folders", "out"), ("packed", "out.npz")):
        ended = mien("data", "import", source, tmp_path / out, "--layout", layout)
        assert ended.code == 1
        for name in ("happy/bad.jpg", "angry/bad.png", "mine/fear has no pictures", "picture of"):
            assert name in ended.err
        assert len(load_dataset(tmp_path / out)) == 2


def test_classes_that_differ_in_case_are_refused(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", "Happy/1.png", "happy/2.png")
    ended = mien("data", "import", source, tmp_path / "out")
    assert ended.code == 1
    (sentence,) = ended.sentences
    assert "'Happy' and 'happy'" in sentence
    assert not (tmp_path / "out").exists()


def test_a_target_that_is_not_empty_is_left_alone(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", "happy/1.png")
    precious = pictures(tmp_path / "other", "1.png")
    for words in ((), ("--overwrite",)):
        ended = mien("data", "import", source, precious, *words)
        assert ended.code == 2
        assert len(ended.sentences) == 1
    assert (precious / "1.png").is_file()
    assert mien("data", "import", source, tmp_path / "out").code == 0
    assert mien("data", "import", source, tmp_path / "out").code == 2
    assert mien("data", "import", source, tmp_path / "out", "--overwrite", "--size", 9).code == 0
    assert read_image(tmp_path / "out/train/happy/1.png").shape == (9, 9, 3)


@pytest.mark.parametrize("out", ["mine", "mine/out", "."])
def test_source_and_target_are_apart(mien: Run, tmp_path: Path, out: str) -> None:
    source = pictures(tmp_path / "mine", "happy/1.png")
    (tmp_path / "dataset.json").write_text("{}")
    (source / "dataset.json").write_text("{}")
    ended = mien("data", "import", source, tmp_path / out, "--overwrite")
    assert ended.code == 2
    assert "inside it; name another folder" in ended.err
    assert (source / "happy/1.png").is_file()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--layout", "csv"), "no layout 'csv'"),
        (("--colour", "blue"), "no colour 'blue'"),
        (("--task", "mood"), "no task 'mood'"),
        (("--split", "signer"), "no split 'signer'"),
        (("--split", "random", "--test", "anna"), "only without --split random"),
        (("--seed", "1"), "is only for --split random"),
        (("--i-know",), "is only for --split random"),
        (("--every", "0"), "--every"),
    ],
)
def test_wrong_use(mien: Run, tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    source = pictures(tmp_path / "mine", "happy/1.png")
    ended = mien("data", "import", source, tmp_path / "out", *words)
    assert ended.code == 2
    assert reason in ended.err
    assert "Traceback" not in ended.err


def test_classes_of_ones_own_need_a_size_when_packed(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", "cat/1.png", "dog/2.png")
    ended = mien("data", "import", source, tmp_path / "p.npz", "--layout", "packed")
    assert ended.code == 2
    assert "--size" in ended.err
    assert mien("data", "import", source, tmp_path / "p.npz", "--layout", "packed", "--size", 12).code == 0
    assert load_packed(tmp_path / "p.npz").samples.shape == (2, 12, 12, 3)
    ended = mien("data", "import", source, tmp_path / "out", "--detect")
    assert ended.code == 2


def test_other_forms_are_sent_to_their_verb(mien: Run, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    assert "mien data fer2013" in mien("data", "import", tmp_path / "fer2013.csv", tmp_path / "out").err
    empty = Dataset(
        samples=np.zeros((1, 4, 4), np.uint8),
        labels=np.zeros(1, np.int64),
        split=np.array(["train"]),
        groups=np.array([""]),
        label_set=load_dataset(pictures(tmp_path / "mine", "happy/1.png")).label_set,
    )
    empty.save(tmp_path / "p.npz")
    assert "already" in mien("data", "import", tmp_path / "p.npz", tmp_path / "out").err
    assert mien("data", "import", tmp_path / "none", tmp_path / "out").code == 1


@pytest.mark.parametrize("layout", ["folders", "packed"])
def test_ctrl_c_leaves_nothing_half_written(
    mien: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    from mien.data.crops import Cropper

    cut, cuts = Cropper.cut, []

    def interrupted(*given: object, **options: object) -> object:
        cuts.append(given)
        if len(cuts) == 3:
            raise KeyboardInterrupt
        return cut(*given, **options)

    monkeypatch.setattr(Cropper, "cut", interrupted)
    source = frames_of(tmp_path / "wild", clip, "2" * 12)
    out = tmp_path / ("deep/out.npz" if layout == "packed" else "deep/out")
    ended = mien("data", "import", source, out, "--layout", layout)
    assert ended.code == 130
    assert ended.sentences[-1] == "mien: interrupted; what was finished is saved."
    assert not out.parent.exists()


@pytest.mark.data
def test_the_third_signers_of_the_project(mien: Run, data_root: Path, tmp_path: Path) -> None:
    source = data_root / "gestures/signer_c"
    if not source.is_dir():
        pytest.skip(f"no gestures in {data_root}")
    ended = mien("data", "import", source, tmp_path / "out", "--group", "signer_c")
    assert ended.code == 0
    assert "1,097 pictures" in ended.out
    assert len(json.loads((tmp_path / "out/dataset.json").read_text())["groups"]) == 1097


def test_pictures_of_another_size_are_asked_for_by_the_strangers_name(mien: Run, tmp_path: Path) -> None:
    source = pictures(tmp_path / "mine", *(f"{label}/1.png" for label in (*EMOTIONS.labels, "bored")))
    ended = mien("data", "import", source, tmp_path / "p.npz", "--layout", "packed")
    assert ended.code == 2
    assert "bored is neither among the emotions nor the gestures" in " ".join(ended.err.replace("│", " ").split())
    assert "angry," not in ended.err.partition("Usage")[2]


@pytest.mark.parametrize("name", ["lost+found", "__MACOSX"])
def test_a_folder_of_the_systems_is_said_and_costs_nothing(mien: Run, tmp_path: Path, name: str) -> None:
    source = pictures(tmp_path / "mine", *(f"{label}/1.png" for label in EMOTIONS.labels))
    (source / name).mkdir()
    ended = mien("data", "import", source, tmp_path / "p.npz", "--layout", "packed")
    assert ended.code == 0
    assert "labels emotions" in ended.out
    assert f"{name} is a system folder and not a class" in ended.err

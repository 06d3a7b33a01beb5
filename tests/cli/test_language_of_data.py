"""The verbs about data sets, models, runs and batches in Chinese: what they print, their pages, what stays English."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.data.dataset import Dataset
from mien.labels import EMOTIONS, GESTURES_4
from mien.pixels.images import write_image
from mien.words import kept

pytest.importorskip("matplotlib")

Run = Callable[..., Any]

LATIN = re.compile(r"[A-Za-z]{3,}")
NAMES = re.compile(
    r"SHA-256|\b(mien|train|validation|test|data|duplicates|evaluate|export|models|compare|recipes|show|NAME|predictions"
    r"|split|csv|uint|RGB|rgb|grey|ECE|Brier|Geifman|Yaniv|ROC|FER|PNG|dropout|numpy|onnxruntime|scikit|learn|pandas"
    r"|python|matplotlib|seaborn|torch|Linux|Windows|Darwin|UTC|loss|Usage|hashes)\b"
)
LABELS = re.compile(rf"\b({'|'.join((*EMOTIONS.labels, *GESTURES_4.labels, 'anna', 'bea'))})\b")


def english(text: str) -> list[str]:
    """Words that are neither names, labels nor parts of paths and commands."""
    bare = re.sub(r"\S*[/._-]\S*|[0-9a-f]{32,}", " ", re.sub(r"<.*?>|&\w+;", " ", text))
    return LATIN.findall(LABELS.sub("", NAMES.sub("", bare)))


def told_on(page: Path) -> str:
    """The text of a page outside its figures."""
    text = re.sub(r"<(svg|style).*?</\1>", " ", page.read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"命令：.*?</li>|版本：.*?</li>", "</li>", text)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """FER2013 in small, with a caveat that is kept in English."""
    random = np.random.default_rng(0)
    count = 60
    samples = random.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    samples[7] = samples[0]  # of the same label
    dataset = Dataset(
        samples=samples,
        labels=np.arange(count) % 7,
        split=np.where(np.arange(count) < 40, "train", "validation").astype("<U10"),
        groups=np.where(np.arange(count) % 2, "anna", "bea"),
        label_set=EMOTIONS,
        source="fer2013.csv",
        caveats=(kept("kept.random_groups"),),
    )
    path = tmp_path / "faces.npz"
    dataset.save(path)
    return path


def predictions(folder: Path) -> Path:
    path = folder / "others.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["predicted"], *([EMOTIONS.labels[i % 3]] for i in range(20))])
    return path


def test_an_evaluation_and_its_page(mien: Run, packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    ended = mien(
        "evaluate", predictions(tmp_path), "--data", packed, "--split", "validation", "--out", out, "--language", "zh"
    )
    assert ended.code == 0
    assert "样本有分组，划分却是随机的" in ended.err
    assert re.search(r"^准确率 +\d+\.\d\d% +\d+\.\d\d% 到 \d+\.\d\d%$", ended.out, re.MULTILINE)
    assert english(ended.out + ended.err) == []
    page = out / "report.html"
    assert '<html lang="zh">' in page.read_text("utf-8")
    assert english(told_on(page)) == []
    assert "混淆矩阵" in told_on(page)
    notes = json.loads((out / "metrics.json").read_text("utf-8"))["notes"]
    assert kept("kept.random_groups") in notes
    assert all(note.isascii() for note in notes)

    told = mien("compare", out, "--out", tmp_path / "page", "--language", "zh")
    assert told.out.startswith("| 名称 | 来源 | 参数量 |")
    assert "预测文件" in told.out
    assert english(told_on(tmp_path / "page" / "compare.html")) == []


def test_a_data_set_and_its_page(mien: Run, packed: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ended = mien("data", "explore", packed, "--out", page, "--language", "zh")
    assert ended.code == 0
    assert english(ended.out) == []
    assert "各划分的类别占比" in ended.out
    assert "样本有分组，划分却是随机的" in told_on(page)
    assert english(told_on(page)) == []
    ended = mien("data", "duplicates", packed, "--write", tmp_path / "clean.csv", "--language", "zh")
    assert english(ended.out) == []
    assert "fer2013.csv：60 张图片（train 40、validation 20）" in ended.out
    assert "重复  1" in ended.out
    assert "repeated" in (tmp_path / "clean.csv").read_text("utf-8")  # CSV is English


def test_pictures_become_a_data_set(mien: Run, tmp_path: Path) -> None:
    for label in ("happy", "sad"):
        for i in range(3):
            path = tmp_path / "mine" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, np.full((20, 20, 3), 40 * i + len(label), np.uint8))
    ended = mien("data", "import", tmp_path / "mine", tmp_path / "set", "--language", "zh")
    assert re.search(r"6 张图片（原文件的副本），没有分组信息，标签集 emotions", ended.out)
    assert "注意：没有 angry、fear、surprise、neutral 的图片。" in ended.out
    facts = json.loads((tmp_path / "set" / "dataset.json").read_text("utf-8"))
    assert facts["caveats"] == ["There are no pictures of angry, fear, surprise, neutral."]


def test_models_recipes_and_the_doctor(mien: Run) -> None:
    told = mien("models", "--language", "zh").out
    assert "模型  " in told
    assert "准确率 0.715，FER2013" in told
    assert mien("models", "--language", "zh", "emotion_residual").out.startswith("# emotion_residual")
    assert mien("models", "emotion_residual", "--language", "zh").out.startswith("# emotion_residual")
    told = mien("recipes", "--language", "zh").out
    assert "公开教程 C：PyTorch CNN5" in told
    assert (
        english(re.sub(r"emotion\w*|gesture\w*|VGG|EfficientNet|Lite|CNN|PyTorch|mixup|epochs|Barsoum", "", told)) == []
    )
    assert mien("doctor", "--language", "zh").out.splitlines()[-1] == "软件包的各个部分在这台机器上都正常。"


def test_a_batch(mien: Run, photo: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / "batch"
    ended = mien("batch", photo, "--out", out, "--jobs", 1, "--task", "emotion", "--language", "zh")
    assert re.fullmatch(rf"1 个来源，1 帧，\d+ 行，写在 {re.escape(str(out))}/parts 的 1 个文件里。\n", ended.out)
    assert "1 source, 1 frame, " in (out / "batch.log").read_text("utf-8")  # a log is English
    told = mien("batch", "status", out, "--language", "zh").out
    assert told.splitlines()[0] == f"{out}：已完成"
    assert mien("batch", "--out", out, "--verify", "--language", "zh").out.endswith(
        "是完整的：数量和哈希值全部相符。\n"
    )
    part = next((out / "parts").iterdir())
    part.unlink()
    ended = mien("batch", "--out", out, "--verify", "--language", "zh")
    assert (ended.code, ended.err.splitlines()[0]) == (1, f"mien: 缺少 {part}。")
    assert ended.err.splitlines()[1].startswith("mien: 修复方法：")


def test_a_language_may_be_said_first(mien: Run, photo: Path) -> None:
    assert "1 张脸" in mien("--language", "zh", "look", photo).out
    assert "1 face" in mien("--language", "zh", "look", photo, "--language", "en").out
    assert "1 face" in mien("look", photo).out  # and ends with its run
    assert mien("recipes", "--language", "zh", "show", "emotion_cnn6", "--json").code == 0

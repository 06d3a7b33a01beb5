"""The verbs speak Chinese: on the terminal, in notes and on pages; what programs read stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.cli.main import app

Run = Callable[..., Any]

PERCENT = r"\d+%"
LATIN = re.compile(r"[a-z]{3,}")
SPEAKING = ("look", "classify", "live", "report", "serve", "demo", "summarize", "doctor", "bench", "train", "evaluate")
SPEAKING += ("compare", "export", "teach")
SUB_VERBS = {
    "batch": ("run", "status"),
    "models": ("show", "compare"),
    "recipes": ("show",),
    "data": ("fer2013", "asl", "import", "collect", "duplicates", "explore"),
}


@pytest.fixture
def chinese(mien: Run) -> Run:
    """Runs a verb in Chinese; it must say nothing in English but names of files."""

    def run(*words: object) -> Any:
        ended = mien(*words, "--language", "zh")
        said = re.sub(r"\S*[/.]\S*", "", ended.out)
        assert not LATIN.search(said), said
        return ended

    return run


def test_verbs_that_speak_have_the_option(mien: Run) -> None:
    names = {command.name for command in app.registered_commands}
    assert set(SPEAKING) <= names
    for verb in SPEAKING:
        assert "--language" in mien(verb, "--help").out, verb
    for group, verbs in SUB_VERBS.items():
        assert group == "data" or group == "batch" or "--language" in mien(group, "--help").out, group
        for verb in verbs:
            assert "--language" in mien(group, verb, "--help").out, (group, verb)


def test_look(chinese: Run, photo: Path, clip: Path) -> None:
    told = chinese("look", photo, clip).out.splitlines()
    assert re.fullmatch(rf"{re.escape(str(photo))}：1 张脸：看起来很开心（{PERCENT}）(；.*)?", told[0])
    assert re.fullmatch(
        rf"{re.escape(str(clip))}：12 帧，到 1.8 秒为止：有脸 100%；.*看起来很开心 {PERCENT}.*", told[1]
    )


def test_records_are_the_same_in_every_language(mien: Run, photo: Path, tmp_path: Path) -> None:
    told = [mien("look", photo, "--jsonl", "-", "--language", language).out for language in ("en", "zh")]
    assert told[0] == told[1]
    for language in ("en", "zh"):
        mien("look", photo, "--csv", tmp_path / f"{language}.csv", "--quiet", "--language", language)
    assert (tmp_path / "en.csv").read_bytes() == (tmp_path / "zh.csv").read_bytes()


def test_classify(chinese: Run, photo: Path, tmp_path: Path) -> None:
    told = chinese("classify", "emotion", photo, "--find", "--chart", tmp_path / "chart.png").out
    assert re.fullmatch(rf"{re.escape(str(photo))}：开心 {PERCENT}\n", told)


def test_demo_and_its_report(mien: Run, chinese: Run, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    told = mien("demo", "--out", out, "--language", "zh").out
    assert "people.png：3 张脸：一张看起来很开心" in told
    assert re.search(r"clip.mp4 第 0.0 秒：1 张脸：看起来很平静", told)
    assert "接下来可以试试：" in told
    assert (out / "README.txt").read_text("utf-8").startswith("由 `mien demo` 生成")
    page = tmp_path / "session.html"
    told = chinese("report", out / "demo.jsonl", "--out", page).out
    assert told == f"网页：{page}；图表：{tmp_path / 'session_files'}\n"
    text = page.read_text("utf-8")
    assert '<html lang="zh">' in text
    assert "表情不等于内心" in text
    assert "看起来很开心" in text
    headings = re.findall(r"<(?:h2[^>]*|th scope=.col.|caption|figcaption|p|li)>(.*?)</", text)
    names = r"<.*?>|\S*[/._]\S*|SHA-256|mien( look)?|--every|--csv|share_hard_to_read"
    strange = [one for one in headings if LATIN.search(re.sub(names, "", one))]
    assert strange == []
    assert {path.name for path in (tmp_path / "session_files").iterdir()} >= {"faces1.png", "rate1.png"}


def test_live(mien: Run, clip: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    ended = mien("live", clip, "--task", "emotion", "--headless", "--mute", "--events", events, "--language", "zh")
    said, summary = ended.out.splitlines()
    assert said == "看起来心情不错，笑起来真好看。"
    assert re.fullmatch(r"\d+\.\d 秒内看了 12 帧，每秒 \d+\.\d 帧", summary)
    assert json.loads(events.read_text("utf-8").splitlines()[0])["label"] == "happy"


def test_own_responses_build_on_the_language(mien: Run, clip: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[emotion]\nhappy = "{label}吗？"\n', "utf-8")
    told = mien("live", clip, "--task", "emotion", "--headless", "--mute", "--responses", own, "--language", "zh").out
    assert told.splitlines()[0] == "开心吗？"


def test_an_unknown_language_is_wrong_use(mien: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = mien("look", photo, "--language", "fr")
    assert (ended.code, ended.out, ended.err) == (2, "", "mien: There is no language 'fr'; available: en, zh.\n")
    monkeypatch.setenv("MIEN_LANGUAGE", "cn")
    ended = mien("look", photo)
    assert (ended.code, ended.out) == (2, "")
    assert "MIEN_LANGUAGE" in ended.err


def test_the_environment_is_asked_where_no_language_is(mien: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_LANGUAGE", "zh_CN")
    assert "1 张脸" in mien("look", photo).out
    assert "1 face" in mien("look", photo, "--language", "en").out

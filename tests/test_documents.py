"""Figures and claims of the documents: what README, docs and cards say twice is the same, and is what was measured."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from mien.models.artifact import zoo_artifact
from mien.train.export.card_words import MEANINGS

ROOT = Path(__file__).resolve().parents[1]
README, CONTRIBUTING = ((ROOT / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md"))
DOCS = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
FIGURES = DOCS["figures.md"]
NUMBER = re.compile(r"\d+(?:,\d{3})+|\d*\.?\d+")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("**", ""))


TRANSLATED = {"README": (README, (ROOT / "README.zh-CN.md").read_text("utf-8"))} | {
    name.partition(".")[0]: (DOCS[name.replace(".zh-CN", "")], text) for name, text in DOCS.items() if ".zh-CN" in name
}
"""Documents that are there in English and in Chinese."""


def _sections(text: str) -> list[tuple[str, str]]:
    """The code and the prose of each section."""
    return [
        ("".join(re.findall(r"(?ms)^```.*?^```$", part)), re.sub(r"(?ms)^```.*?^```$", "", part))
        for part in re.split(r"(?m)^## ", text)
    ]


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_chinese_document_has_the_same_code_and_figures(name: str) -> None:
    """In each section the same code blocks, numbers and names in backticks, and as many rows, items and headings."""
    english, chinese = map(_sections, TRANSLATED[name])
    assert len(english) == len(chinese)
    for (code, prose), (code_zh, prose_zh) in zip(english, chinese, strict=True):
        assert code_zh == code
        for what in (NUMBER, re.compile(r"`[^`]+`"), re.compile(r"(?m)^(?:\| |- |!\[)")):
            ours, theirs = (
                Counter(re.sub(r"\s+", " ", each) for each in what.findall(text)) for text in (prose, prose_zh)
            )
            assert theirs == ours, prose[:40]


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_chinese_document_leads_to_what_the_english_one_does(name: str) -> None:
    english, chinese = (set(re.findall(r"\]\(([^)]+)\)", text)) for text in TRANSLATED[name])
    same = {link.replace(".zh-CN", "") for link in chinese}
    assert same == {link.replace(".zh-CN", "") for link in english}


def _score(model: str, metric: str, where: str) -> float:
    """The figure of a manifest; `where` is the split or the data set."""
    found = [s.value for s in zoo_artifact(model).manifest.scores if s.metric == metric and where in (s.split, s.data)]
    assert len(found) == 1, (model, metric, where)
    return found[0]


def _mean(metric: str) -> float:
    """Over the data sets left out in turn; the fifth of a crowd is no such set."""
    scores = zoo_artifact("gesture_landmark").manifest.scores
    values = [score.value for score in scores if score.metric == metric and score.split != "held-back fifth"]
    return sum(values) / len(values)


def _holds(stated: str, value: float) -> bool:
    """Whether a figure is the value, rounded to the digits that it is stated with."""
    number = float(stated.replace(",", ""))
    digits = len(stated.partition(".")[2])
    return abs(number - value) <= 0.5 * 10**-digits + 1e-9


OURS, RATERS = "emotion_residual", "emotion_ferplus"
AT = {model: f"{zoo_artifact(model).manifest.threshold:g}" for model in (OURS, RATERS)}
PERHAPS = f"{zoo_artifact(OURS).manifest.perhaps:g}"
PERCENT = 100.0

STATED = [
    ("one view, seven classes | 69.5 %", [(OURS, "accuracy", "PrivateTest", PERCENT),
     (OURS, "accuracy_low_95", "PrivateTest", PERCENT), (OURS, "accuracy_high_95", "PrivateTest", PERCENT)]),
    ("| macro F1 | 0.67 |", [(OURS, "macro_f1", "PrivateTest", 1)]),
    ("| calibration error (15 bins) | 0.03 at most |", [(OURS, "ece", "PrivateTest", 1)]),
    ("their accuracy | 45 %, 90 % |", [(OURS, f"coverage_at_{AT[OURS]}", "PrivateTest", PERCENT),
     (OURS, f"accuracy_at_{AT[OURS]}", "PrivateTest", PERCENT)]),
    ("mean, PublicTest | 6 points at most |", [(OURS, "robustness_drop", "PublicTest", PERCENT)]),
    ("| sure, right |", [(OURS, f"coverage_at_{AT[OURS]}", "PrivateTest", PERCENT),
     (OURS, f"accuracy_at_{AT[OURS]}", "PrivateTest", PERCENT),
     (OURS, f"coverage_at_{AT[OURS]}", "PublicTest", PERCENT),
     (OURS, f"accuracy_at_{AT[OURS]}", "PublicTest", PERCENT)]),
    ("or given by two of ten raters) |", [(OURS, f"coverage_at_{PERHAPS}", "PrivateTest", PERCENT),
     (OURS, f"acceptable_at_{PERHAPS}", "PrivateTest", PERCENT),
     (OURS, f"coverage_at_{PERHAPS}", "PublicTest", PERCENT),
     (OURS, f"acceptable_at_{PERHAPS}", "PublicTest", PERCENT)]),
    ("| accuracy against the FER+ plurality |", [(OURS, "accuracy_ferplus", "PrivateTest", PERCENT),
     (OURS, "accuracy_ferplus", "PublicTest", PERCENT)]),
    ("| macro F1, top-2 accuracy |", [(OURS, "macro_f1", "PrivateTest", 1),
     (OURS, "top_2_accuracy", "PrivateTest", PERCENT), (OURS, "macro_f1", "PublicTest", 1),
     (OURS, "top_2_accuracy", "PublicTest", PERCENT)]),
    ("PrivateTest (3,376) | PublicTest (chosen on it) | |---|---|---| | accuracy (95 % interval) |",
     [(RATERS, "accuracy", "PrivateTest", PERCENT), (RATERS, "accuracy_low_95", "PrivateTest", PERCENT),
      (RATERS, "accuracy_high_95", "PrivateTest", PERCENT), (RATERS, "accuracy", "PublicTest", PERCENT)]),
    ('(85.5 to 87.8) | | answers that are not "uncertain", their accuracy |',
     [(RATERS, f"{what}_at_{AT[RATERS]}", where, PERCENT) for where in ("PrivateTest", "PublicTest")
      for what in ("coverage", "accuracy")]),
    ("| macro F1, calibration error (15 bins) |", [(RATERS, "macro_f1", "PrivateTest", 1),
     (RATERS, "ece", "PrivateTest", 1), (RATERS, "macro_f1", "PublicTest", 1), (RATERS, "ece", "PublicTest", 1)]),
    ("| accuracy lost to a camera's troubles, mean | |", [(RATERS, "robustness_drop", "PublicTest", PERCENT)]),
    ("FER2013's PrivateTest: accuracy (95 % interval) |", [(OURS, "accuracy", "PrivateTest", PERCENT),
     (OURS, "accuracy_low_95", "PrivateTest", PERCENT), (OURS, "accuracy_high_95", "PrivateTest", PERCENT)]),
    ("the same for `emotion_ferplus`, eight classes by FER+ |", [(RATERS, "accuracy", "PrivateTest", PERCENT),
     (RATERS, "accuracy_low_95", "PrivateTest", PERCENT), (RATERS, "accuracy_high_95", "PrivateTest", PERCENT)]),
    ("they are what most FER+ raters chose for", [(OURS, "labels_agree_ferplus", "PrivateTest", PERCENT)]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "figures"), STATED, ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_stated_figures_are_those_of_the_manifests(before: str, figures: list[tuple[str, str, str, float]]) -> None:
    text = _flat(README + FIGURES)
    assert text.count(before) == 1, before
    stated = NUMBER.findall(text.split(before)[1])
    for number, (model, metric, where, times) in zip(stated, figures, strict=False):
        assert _holds(number, times * _score(model, metric, where)), f"{metric} on {where}: stated is {number}"


@pytest.mark.parametrize(("model", "heading"), [(OURS, "By class (F1, PrivateTest):"), (RATERS, "F1 on PrivateTest:")])
def test_f1_of_every_label(model: str, heading: str) -> None:
    sentence = _flat(FIGURES).split(heading)[1].split(". ")[0]
    stated = dict(re.findall(r"(\w+) (\.\d+)", sentence))
    labels = zoo_artifact(model).manifest.label_set
    assert labels is not None
    assert stated.keys() == set(labels.labels) - {"contempt"}
    for label, number in stated.items():
        assert _holds(number, _score(model, f"f1_{label}", "PrivateTest")), label


def test_gestures_by_data_set_and_their_mean() -> None:
    columns = (*("seeds' four gestures, best answer", "seeds' four gestures recognised", "none recognised"),)
    table = FIGURES.split("| left-out data set |")[1].split("\n\n")[0]
    cells_of = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    rows = {name.split(" ")[0]: rest for name, _, *rest in cells_of}
    assert set(rows) == {"asl_alphabet", "massey", "signer_b", "signer_c", "webcam", "mean"}
    for name, cells in rows.items():
        for metric, cell in zip(columns, cells, strict=False):
            if NUMBER.search(cell):
                value = _mean(metric) if name == "mean" else _score("gesture_landmark", metric, name)
                assert _holds(NUMBER.findall(cell)[0], 100 * value), (name, metric)


def test_sizes_and_thresholds() -> None:
    for model in (OURS, RATERS):
        size = zoo_artifact(model).model_path.stat().st_size
        assert f"{size / 1e6:.1f} MB" == "3.6 MB", "docs/figures.md says it of both"
    assert f"**Threshold.** {AT[OURS]} is" in DOCS["models.md"]
    gesture = zoo_artifact("gesture_landmark").manifest.threshold
    assert f'right and not "uncertain" ({gesture:g})' in FIGURES
    assert f"The shipped threshold is {gesture:g}" in DOCS["models.md"]


@pytest.mark.parametrize(
    ("document", "pattern"),
    [
        ("data.md", r"([\d,]+) of ([\d,]+) stay"),
        ("data.md", r"loads in ([\d.]+) s from the packed file"),
        ("data.md", r"([\d.]+) s (?:from `fer2013.csv.xz` \(|from the `.csv.xz`, with at most )([\d]+) MB"),
        ("live.md", r"306 MB after one minute, at most (\d+) MB later"),
        ("live.md", r"first result \| ([\d.]+) s"),
        ("models.md", r"shipped\*?\*?\) \| 72.0 % \| ([\d.]+) % \(([\d.]+) to ([\d.]+)\)"),
        ("data.md", r"are what most FER\+ raters chose for ([\d.]+) % of PrivateTest"),
    ],
)
def test_what_is_said_twice_is_the_same(document: str, pattern: str) -> None:
    there = re.search(pattern, _flat(DOCS[document]))
    assert there is not None, f"{document} no longer says {pattern}"
    text = _flat(README + FIGURES)
    for number in there.groups():
        assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d,])", text), f"{document} says {number}"


@pytest.mark.parametrize("model", [OURS, RATERS, "gesture_landmark"])
def test_cards_say_what_their_figures_mean_in_the_words_of_today(model: str) -> None:
    meanings = dict(MEANINGS.values())
    card = _flat(zoo_artifact(model).card)
    told = [name for name in meanings if f"- {name}: " in card]
    assert told
    for name in told:
        assert card.split(f"- {name}: ")[1].startswith(meanings[name].rstrip(".")), name


def test_links_lead_somewhere() -> None:
    texts = {ROOT / "README.md": README, ROOT / "CONTRIBUTING.md": CONTRIBUTING}
    texts |= {ROOT / "docs" / name: text for name, text in DOCS.items()}
    for path, text in texts.items():
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_tests_stand_where_contributing_says() -> None:
    """Each test file has a room of the package, or the file, that it is named after."""
    package, tests = ROOT / "src" / "mien", ROOT / "tests"
    claim = "tests/ mirrors src/mien/ room for room" in _flat(CONTRIBUTING).replace("`", "")
    assert claim
    rooms = {path.parent.relative_to(package) for path in package.rglob("*.py")}
    for path in tests.rglob("test_*.py"):
        room = path.relative_to(tests).parent
        assert room in rooms or room.name == "end_to_end", f"{path.relative_to(ROOT)} has no room in the package"


def test_the_table_of_rooms_is_whole() -> None:
    package = ROOT / "src" / "mien"
    there = {path.stem for path in package.iterdir() if not path.name.startswith("_") and path.name != "py.typed"}
    table = CONTRIBUTING.split("| room | holds |")[1].split("\n\n")[0]
    told = {name.rstrip("/") for line in table.splitlines() for name in re.findall(r"`([\w/]+)`", line.split("|")[1])}
    assert there - told == set()
    assert told - there == set()


def test_every_figure_of_the_readme_is_explained_in_full() -> None:
    """Each number in README's small table is one of docs/figures.md, which says how it was measured."""
    table = README.split("\n## Figures\n")[1].split("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines()[2:]]
    assert len(rows) >= 4
    for _, what, figure, _ in rows:
        for number in NUMBER.findall(figure):
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d,])", FIGURES), f"{what.strip()}: {number}"


def test_walks_lead_through_modules_that_are_there() -> None:
    walks = CONTRIBUTING.split("\n## Four walks")[1].split("\n## ")[0]
    steps = re.findall(r"^\d\. .+$", walks, re.MULTILINE)
    assert [step[0] for step in steps] == list("1234") * 4
    for step in steps:
        named = re.findall(r"`((?:\w+/)*\w+(?:\.py|/))`", step)
        assert named, f"no module is named: {step}"
        for place in named:
            found = ROOT / "src" / "mien" / place
            assert found.is_dir() if place.endswith("/") else found.is_file(), f"{place} is not in src/mien"


def test_rooms_are_packages_of_at_most_18_files() -> None:
    """A folder without `__init__.py` would be missing in the wheel; one with more files is a drawer."""
    package = ROOT / "src" / "mien"
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        files = [path for path in folder.iterdir() if path.is_file() and path.suffix != ".pyc"]
        assert len(files) <= 18, f"{folder} has {len(files)} files"
        if any(path.suffix == ".py" for path in files):
            assert folder / "__init__.py" in files, f"{folder} has modules and no __init__.py"


def test_git_ignores_nothing_of_the_package() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    places = [
        path for path in (ROOT / "src" / "mien").rglob("*") if path.suffix != ".pyc" and path.name != "__pycache__"
    ]
    asked = subprocess.run(
        [git, "check-ignore", "--no-index", "--stdin"],
        input="\n".join(map(str, places)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (asked.returncode, asked.stdout) == (1, ""), asked.stderr


def test_no_verb_is_missing_from_the_readme() -> None:
    tree = ast.parse((ROOT / "src" / "mien" / "cli" / "main.py").read_text("utf-8"))
    commands = {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "command"
        if node.args and isinstance(node.args[0], ast.Constant)
    }
    table = README.split("| verb | does |")[1].split("\n\n")[0]
    missing = [name for name in commands if not re.search(rf"\b{name}\b", table)]
    assert missing == []

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from mien.models.artifact import load_artifact
from mien.models.manifest import Manifest, Score
from mien.recipes.recipe import load_recipe
from mien.train.export.card import CardFacts, card_text
from mien.train.export.card_words import MEANINGS, SHARES

SECTIONS = [
    "Model details",
    "Intended use",
    "Out of scope",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
]


def facts(name: str = "emotion", **changes: Any) -> CardFacts:
    recipe = load_recipe(name)
    provenance = "sign_language" if recipe.data.kind == "hands" else recipe.data.kind
    known = CardFacts(recipe=recipe, provenance=provenance, parameters=1957319, bytes=7_890_000, train_samples=26775)
    return replace(known, **changes)


def score(metric: str, value: float, split: str = "PrivateTest", **changes: str) -> Score:
    how = {"data": "FER2013", "protocol": "all images", "command": "python bench.py"} | changes
    return Score(metric=metric, value=value, split=split, **how)


def manifest(*scores: Score, name: str = "emotion") -> Manifest:
    return replace(load_recipe(name).manifest(), scores=scores, temperature=0.76)


def section(card: str, name: str) -> str:
    return re.split(r"^## ", card.split(f"## {name}\n", 1)[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    "name", ["emotion", "emotion_ferplus", "gesture_landmark", "gesture_four", "gesture_lite0", "emotion_cnn3_elu"]
)
def test_every_section_of_mitchell_is_there_in_order(name: str) -> None:
    card = card_text(manifest(name=name), facts(name))
    assert re.findall(r"^## (.*)$", card, flags=re.MULTILINE) == SECTIONS
    assert not re.search(r"\n\n\n|## [^\n]*\n## ", card), "no section is empty"
    assert "AI Act" in section(card, "Out of scope")


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        ((), ""),
        (("fear",), "- Its output for fear is left out of the answers."),
        (("fear", "sad"), "- Its outputs for fear, sad are left out of the answers."),
    ],
)
def test_labels_left_out_are_told_without_a_reason(left_out: tuple[str, ...], told: str) -> None:
    details = section(card_text(replace(manifest(), left_out=left_out), facts()), "Model details")
    assert [line for line in details.splitlines() if "left out" in line] == [told] * bool(told)


def test_a_break_of_line_in_a_name_or_command_ends_no_entry() -> None:
    own = replace(manifest(score("accuracy", 0.6, command="mien export 'a\nb' c")), origin="made\nhere")
    card = card_text(own, facts(recipe=replace(load_recipe("emotion"), source="by\nsomebody")))
    assert "- FER2013, PrivateTest, by `mien export 'a b' c`: all images." in section(card, "Evaluation data")
    details = section(card, "Model details")
    assert "; made here." in details
    assert "(by somebody)." in details
    assert all(line.startswith("- ") for line in details.strip().splitlines())


def test_details_say_what_it_is() -> None:
    details = section(card_text(manifest(), facts(checks=("It was checked.",))), "Model details")
    for words in (
        "`residual_cnn`",
        "1,957,319 parameters",
        "7.9 MB",
        "48x48 grey",
        "Version 1",
        "not stated by its maker",
        "checked",
    ):
        assert words in details
    unknown = section(card_text(manifest(), facts(parameters=None, bytes=12_345)), "Model details")
    assert "`residual_cnn`, 12 kB as ONNX" in unknown
    assert "21 hand landmarks" in card_text(manifest(name="gesture_four"), facts("gesture_four"))


def test_scores_of_two_splits_stand_side_by_side() -> None:
    card = card_text(
        manifest(
            score("accuracy", 0.6871),
            score("accuracy_low_95", 0.6721),
            score("accuracy_high_95", 0.7019),
            score("ece", 0.0344),
            score("accuracy", 0.68, "PublicTest"),
            score("coverage_at_0.5", 0.805),
            score("accuracy_at_0.5", 0.759),
            score("my own figure", 0.25),
        ),
        facts(),
    )
    rows = section(card, "Quantitative analyses").splitlines()
    assert rows[0] == "| figure | FER2013, PrivateTest | FER2013, PublicTest |"
    assert rows[2:] == [
        "| accuracy | 68.7 % (67.2 to 70.2) | 68.0 % |",
        "| ECE | 0.0344 | - |",
        "| answers with a confidence of 0.5 or more | 80.5 % | - |",
        "| their accuracy | 75.9 % | - |",
        "| my own figure | 0.25 | - |",
        "",
    ]
    metrics = section(card, "Metrics")
    assert "- ECE: expected calibration error" in metrics
    assert "NLL" not in metrics, "what was not measured is not explained"


def test_labels_troubles_and_confusions_have_their_own_places() -> None:
    card = card_text(
        manifest(
            score("precision_fear", 0.5),
            score("recall_fear", 0.449),
            score("f1_fear", 0.4997),
            score("robustness_drop", 0.081, "PublicTest", command="python robust.py"),
            score("drop_blur", 0.1234, "PublicTest", command="python robust.py"),
            score("fear_taken_for_sad", 0.191),
        ),
        facts(),
    )
    analyses = section(card, "Quantitative analyses")
    assert "| fear | 0.500 | 0.449 | 0.500 |" in analyses
    assert "| blur | 12.3 |" in analyses
    assert "| lost to camera corruptions | - | 8.1 % |" in analyses
    assert analyses.count("fear") == 1
    assert "fear is taken for sad in 19.1 % of cases" in section(card, "Caveats and recommendations")
    assert "harmonic mean" in section(card, "Metrics")
    data = section(card, "Evaluation data").splitlines()
    assert data[0] == "- FER2013, PrivateTest, by `python bench.py`: all images."
    assert len([line for line in data if line]) == 2, "one line a command"


def test_the_threshold_is_explained() -> None:
    assert "below 0.5 is uncertain" in section(card_text(manifest(), facts()), "Metrics")
    chosen = card_text(manifest(), facts(threshold="It was chosen so."))
    assert "- It was chosen so." in section(chosen, "Metrics")
    assert "below 0.5" not in chosen


def test_a_card_says_whose_labels_it_was_measured_by() -> None:
    own, raters = (card_text(manifest(name=name), facts(name)) for name in ("emotion", "emotion_ferplus"))
    assert "people agree with those of FER2013 in about 65 %" in section(own, "Caveats and recommendations")
    assert "people agree" not in raters
    assert "what more of ten raters chose" in section(raters, "Caveats and recommendations")
    assert "contempt is left out of the answers" in section(raters, "Model details")
    assert "surprise, neutral.\n" in section(raters, "Model details")
    assert "left out of the answers" not in own


@pytest.mark.parametrize(
    "name", ["emotion", "emotion_ferplus", "gesture_landmark", "gesture_four", "gesture_lite0", "emotion_cnn3_elu"]
)
def test_a_card_of_own_pictures_claims_nothing_of_others(name: str) -> None:
    own = "hands" if name in ("gesture_four", "gesture_landmark") else "images"
    card = card_text(manifest(name=name), facts(name, provenance=own, train_samples=70))
    training = section(card, "Training data")
    assert training.startswith("70 training samples.")
    assert "data set of its user's own" in " ".join(training.split())
    details = next(line for line in card.splitlines() if line.startswith("- Recipe"))  # names what it was made for
    for claim in ("FER2013", "FER+", "Goodfellow", "sign-language", "a few people", "dozen people", "Massey"):
        assert claim not in card.replace(details, ""), claim
    assert "mien" not in card


def test_a_card_of_hagrids_hands_names_its_makers_and_licence_and_others_do_not() -> None:
    many, letters = (
        section(card_text(manifest(name="gesture_four"), facts("gesture_four", provenance=origin)), "Training data")
        for origin in ("many_hands", "sign_language")
    )
    for words in ("Kapitanov", "hukenovs/hagrid", "share-alike", "CC BY-SA 4.0", "sign-language pictures"):
        assert words in " ".join(many.split()), words
    assert "HaGRID" not in letters


@pytest.mark.parametrize(("name", "votes"), [("emotion", True), ("emotion_ferplus", True), ("emotion_cnn3_elu", False)])
def test_votes_are_named_where_they_were_learned_from(name: str, votes: bool) -> None:
    training = section(card_text(manifest(name=name), facts(name, provenance="fer2013")), "Training data")
    assert "FER2013 (Goodfellow" in training
    assert ("Raters' votes: FER+" in training) == votes


def test_every_share_is_a_score_with_a_meaning() -> None:
    assert set(MEANINGS) > SHARES


@pytest.mark.parametrize("name", ["emotion_residual", "emotion_ferplus", "gesture_landmark"])
def test_no_figure_is_typed_by_hand(name: str) -> None:
    """A card without scores, parameters or samples states no figure of a model."""
    model = load_artifact(name).manifest
    recipe = {"emotion_residual": "emotion", "gesture_landmark": "gesture_landmark"}.get(name, name)
    card = card_text(replace(model, scores=()), facts(recipe, parameters=None, bytes=0, train_samples=0))
    numbers = set(re.findall(r"\d+(?:\.\d+)? %", card))
    assert numbers <= {"65 %"}, "what Goodfellow et al. published about people"

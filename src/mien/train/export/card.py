"""Model cards after Mitchell et al. 2019 (Model Cards for Model Reporting): every figure is from a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mien import wording
from mien.data.provenance import Provenance
from mien.evaluation.manifest_scores import ACCEPTED, BY_LABEL, CERTAIN, COVERAGE, DROP, HIGH_95, LOW_95, TAKEN_FOR
from mien.evaluation.measures import percent
from mien.labels import EMOTIONS_8
from mien.models.manifest import Manifest, Score
from mien.recipes.recipe import Recipe
from mien.train.export.card_words import (
    CAVEATS,
    ETHICS,
    FACTORS,
    HAND_ETHICS,
    INTENDED,
    MEANINGS,
    OUT_OF_SCOPE,
    SHARES,
    TRAINING_DATA,
    VOTES,
)
from mien.wording import markdown_table, one_line

_NOTHING = ""
_UNMEASURED = "Nothing was measured."

Place = tuple[str, str]
"""Data set and split."""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a card says besides the manifest.

    Args:
        recipe: that trained the model.
        provenance: where the training samples are from.
        parameters: of the network; None if unknown.
        bytes: of the model file.
        train_samples: how many it was trained on.
        checks: what the export checked, one sentence each.
        threshold: how the threshold was chosen, as a sentence; empty if it is the recipe's.
    """

    recipe: Recipe
    provenance: Provenance
    parameters: int | None
    bytes: int
    train_samples: int
    checks: tuple[str, ...] = ()
    threshold: str = ""


def card_text(manifest: Manifest, facts: CardFacts) -> str:
    """The card, Markdown.

    Args:
        manifest: of the model, with its scores.
        facts: the rest.
    """
    origin, scores = facts.provenance, _known(manifest.scores)
    by_raters = origin == "fer2013" and manifest.labels == EMOTIONS_8.name
    used_votes = origin == "fer2013" and (by_raters or facts.recipe.loss.votes_weight > 0)
    is_emotion = manifest.task == "emotion"
    published = origin if origin in ("sign_language", "many_hands") else ""
    sections = {
        "Model details": _details(manifest, facts),
        "Intended use": INTENDED["emotion" if is_emotion else published or "gesture"],
        "Out of scope": OUT_OF_SCOPE,
        "Factors": FACTORS["hands" if published else origin],
        "Metrics": _metrics(manifest, facts),
        "Evaluation data": _evaluation_data(manifest.scores),
        "Training data": f"{wording.count(facts.train_samples, 'training sample')}. {TRAINING_DATA[origin]}"
        + (f" {VOTES}" if used_votes else ""),
        "Quantitative analyses": _analyses(scores),
        "Ethical considerations": ETHICS if is_emotion else HAND_ETHICS[published or "hands"],
        "Caveats and recommendations": "\n".join(
            filter(None, (_confusions(scores), CAVEATS["ferplus" if by_raters else origin]))
        ),
    }
    return f"# {manifest.name}\n\n" + "\n".join(f"## {name}\n{text.rstrip()}\n" for name, text in sections.items())


Scores = dict[Place, dict[str, Score]]


def _known(scores: Iterable[Score]) -> Scores:
    """Scores by where they were measured and by name; the first of several equal ones counts."""
    known: Scores = {}
    for score in scores:
        known.setdefault((score.data, score.split), {}).setdefault(score.metric, score)
    return known


def _details(manifest: Manifest, facts: CardFacts) -> str:
    recipe, spec = facts.recipe, manifest.input
    source = recipe.source.removeprefix("mien: ")  # the author of the recipe is not the maker of the model
    what = "facial expression" if manifest.task == "emotion" else "hand gesture"
    labels = ", ".join(manifest.answers.labels if manifest.answers else ())
    outputs, never = ("output", "is") if len(manifest.left_out) == 1 else ("outputs", "are")
    left_out = f"Its {outputs} for {', '.join(manifest.left_out)} {never} left out of the answers."
    height, width = spec.size_hw
    landmarks = "21 hand landmarks" + (" and the direction of the picture's top" if height > 21 else "")
    fed = f"{height}x{width} {spec.colour} pixels" if spec.kind == "image" else landmarks
    size = f"{facts.bytes / 1e6:.1f} MB" if facts.bytes >= 1e6 else f"{facts.bytes / 1e3:.0f} kB"
    count = "" if facts.parameters is None else f" {facts.parameters:,} parameters,"
    lines = [
        f"Reads the {what} of one crop as one of: {labels}.",
        *([left_out] if manifest.left_out else ()),
        f"Network `{recipe.network.name}`,{count} {size} as ONNX; fed with {fed}.",
        f"Version {manifest.version}; {manifest.origin}.",
        f"Recipe `{recipe.name}`" + (f" ({source})." if source else "."),
        f"Licence of the weights: {manifest.licence}.",
        *facts.checks,
    ]
    return "\n".join(f"- {one_line(line)}" for line in lines)


def _metrics(manifest: Manifest, facts: CardFacts) -> str:
    named = {score.metric for score in manifest.scores}
    lines = [f"- {words}: {meaning}." for name, (words, meaning) in MEANINGS.items() if name in named]
    if any(name.startswith(tuple(BY_LABEL)) for name in named):
        lines.append(
            "- precision: share of the answers with a label that are right; recall: share of the samples with a"
        )
        lines.append("  label that get it; F1: their harmonic mean.")
    threshold = facts.threshold or f"An answer with a confidence below {manifest.threshold:g} is uncertain."
    lines.append(f"- {threshold}")
    lines.append(f"- Confidences are probabilities after a temperature of {manifest.temperature:g} (Guo et al. 2017).")
    return "\n".join(lines)


def _evaluation_data(scores: Sequence[Score]) -> str:
    """Where and how the figures were measured: one line per command."""
    ways: dict[tuple[str, ...], dict[str, None]] = {}
    for score in scores:
        ways.setdefault((score.data, score.split, score.command), {}).setdefault(score.protocol)
    lines = [
        f"- {data}, {split}, by `{one_line(command)}`: {'; '.join(map(one_line, protocols))}."
        for (data, split, command), protocols in ways.items()
    ]
    return "\n".join(lines) or _UNMEASURED


def _analyses(scores: Scores) -> str:
    tables = [_overall(scores), *(_by_label(place, own) for place, own in scores.items())]
    tables += [_corruptions(place, own) for place, own in scores.items()]
    return "\n".join(filter(None, tables)) or _UNMEASURED


def _overall(scores: Scores) -> str:
    """Every score that is not for a single label or corruption; one column per split."""
    found = dict.fromkeys(name for own in scores.values() for name in own)
    plain = [name for name in found if not _is_single(name)]
    order = [*(name for name in MEANINGS if name in plain), *(name for name in plain if name not in MEANINGS)]
    rows = [
        (_name(name), *(_shown(name, own) for own in scores.values()))
        for name in order
        if name not in (LOW_95, HIGH_95)
    ]
    return markdown_table(("figure", *(", ".join(place) for place in scores)), rows) if rows else _NOTHING


def _by_label(place: Place, own: dict[str, Score]) -> str:
    labels = [name.removeprefix("f1_") for name in own if name.startswith("f1_")]
    rows = [
        (label, *(f"{own[f'{start}{label}'].value:.3f}" if f"{start}{label}" in own else "-" for start in BY_LABEL))
        for label in labels
    ]
    header = ("label", "precision", "recall", "F1")
    return f"By label, {', '.join(place)}:\n\n{markdown_table(header, rows)}" if rows else _NOTHING


def _corruptions(place: Place, own: dict[str, Score]) -> str:
    rows = [
        (name.removeprefix(DROP), f"{100 * score.value:.1f}") for name, score in own.items() if name.startswith(DROP)
    ]
    header = ("trouble", "points of accuracy lost")
    return f"Under camera corruptions, {', '.join(place)}:\n\n{markdown_table(header, rows)}" if rows else _NOTHING


def _confusions(scores: Scores) -> str:
    """The most common confusions, from the first split that has them."""
    for own in scores.values():
        pairs = [(name.split(TAKEN_FOR), score.value) for name, score in own.items() if TAKEN_FOR in name]
        if pairs:
            said = ", ".join(f"{true} is taken for {taken} in {percent(share)}" for (true, taken), share in pairs)
            return f"- What confuses it most: {said} of cases."
    return _NOTHING


def _name(name: str) -> str:
    """A score for readers."""
    if name.startswith(COVERAGE):
        return f"answers with a confidence of {name.removeprefix(COVERAGE)} or more"
    if name.startswith(CERTAIN):
        return "their accuracy"
    if name.startswith(ACCEPTED):
        return f"of these with {name.removeprefix(ACCEPTED)} or more, acceptable to people"
    return MEANINGS[name][0] if name in MEANINGS else name


def _is_single(name: str) -> bool:
    return name.startswith((*BY_LABEL, DROP)) or TAKEN_FOR in name


def _shown(name: str, own: dict[str, Score]) -> str:
    if name not in own:
        return "-"
    value = own[name].value
    if name not in SHARES and not name.startswith((COVERAGE, CERTAIN, ACCEPTED)):
        return f"{value:g}"
    low, high = (own.get(f"{name}_{end}_95") for end in ("low", "high"))
    interval = f" ({100 * low.value:.1f} to {100 * high.value:.1f})" if low and high else ""
    return percent(value) + interval

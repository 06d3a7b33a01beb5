"""What this server can answer: tasks, labels with their words and colours, models and their cards."""

from __future__ import annotations

import re

from mien.errors import UnknownName
from mien.labels import NOTHING, Task
from mien.models.artifact import load_artifact, zoo_names
from mien.outputs.palette import Colour, label_colour
from mien.pipeline import Options
from mien.serve.contract import CardRecord, LabelRecord, ListedModel, ModelsRecord, TaskRecord
from mien.serve.problems import Problem
from mien.serve.settings import ServeSettings
from mien.stages.baseline import BASELINE_S, NEUTRAL
from mien.voice.responses import Responses
from mien.words import languages, words

_HEADING = re.compile(r"^---\n.*?\n---\n", re.DOTALL)


def describe_models(settings: ServeSettings, language: str = "") -> ModelsRecord:
    """All that a page needs to know before the first picture; reads the model folders.

    Args:
        settings: of the server.
        language: tag of the page's language; see `Responses.in_language`.

    Raises:
        UnknownName, ModelError: a model cannot be used.
    """
    o = settings.options
    answering: dict[Task, tuple[str, float | None]] = {
        "emotion": (o.emotion_model, o.emotion_threshold),
        "gesture": (o.gesture_model, o.gesture_threshold),
    }
    responses = settings.responses.in_language(language)
    tasks = {task: _task(*answering[task], task, responses) for task in o.tasks}
    expressions = tasks["emotion"].labels if "emotion" in tasks else []
    return ModelsRecord(
        tasks=tasks,
        models=[_listed(name) for name in zoo_names()],
        watch=settings.watch is not None,
        language=responses.language,
        baseline_s=BASELINE_S if any(one.name == NEUTRAL for one in expressions) else None,
        picture_bytes=settings.limits.picture_bytes,
        video_bytes=settings.limits.video_bytes,
    )


def describe_card(name: str, options: Options) -> CardRecord:
    """The card of a model in the package, or of one that answers here.

    Raises:
        Problem: 404, there is no such model.
    """
    own = {load_artifact(one).manifest.name: one for one in (options.emotion_model, options.gesture_model)}
    if name not in own and name not in zoo_names():
        raise Problem(404, str(UnknownName("model", name, sorted({*own, *zoo_names()}))))
    card = load_artifact(own.get(name, name)).card
    return CardRecord(name=name, card=_HEADING.sub("", card))


def _task(model: str, threshold: float | None, task: Task, responses: Responses) -> TaskRecord:
    manifest = load_artifact(model).manifest
    labels = () if manifest.answers is None else manifest.answers.labels
    tongue = responses.language.split("-")[0]
    said = words(tongue if tongue in languages() else None)
    names = {label: said.label(task, label, "label" if label == NOTHING else "word") for label in labels}
    return TaskRecord(
        model=manifest.name,
        threshold=manifest.threshold if threshold is None else threshold,
        labels=[
            LabelRecord(name=label, word=responses.words.get(label, names[label]), colour=_hex(label_colour(label)))
            for label in labels
        ],
    )


def _listed(name: str) -> ListedModel:
    artifact = load_artifact(name)
    manifest = artifact.manifest
    return ListedModel(
        name=manifest.name,
        version=manifest.version,
        task=manifest.task,
        licence=manifest.licence,
        megabytes=round(artifact.model_path.stat().st_size / 1e6, 1),
    )


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)

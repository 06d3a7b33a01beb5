"""Which models answered in a session, and where the records do not say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.labels import TASKS
from mien.records.session import Session
from mien.reports.session.tables import Row
from mien.scene import Event
from mien.words import say, words


def model_rows(session: Session) -> list[Row]:
    """One row per model and threshold, with the number of frames it analysed; unknown values are a dash."""
    rows: list[Row] = []
    for task, column in zip(TASKS, session.model.T, strict=True):
        for place in dict.fromkeys(column[column >= 0].tolist()):
            model = session.models[place]
            about = (model.name, model.version, f"{model.threshold:g}", model.sha256 or "-", model.detector or "-")
            rows.append((say(f"report.{task}.what"), *about, f"{int((column == place).sum()):,}"))
    return rows


def model_sentences(session: Session, events: Sequence[Event] | None = None) -> list[str]:
    """What a reader must know: several models for a task, frames in which a task was not asked for, no record.

    Args:
        session: the records.
        events: from the events file, if there is one; models that the records do not name are reported.
    """
    sentences: list[str] = []
    is_named = session.model >= 0
    is_silent = ~is_named.any(axis=1)
    frames = len(session.model)
    for place, task in enumerate(TASKS):
        column = session.model[:, place]
        several = len(np.unique(column[column >= 0]))
        if several > 1:
            sentences.append(say(f"report.{task}.several_models", number=several))
        passed = int((~is_named[:, place] & ~is_silent).sum())
        if passed:
            if passed == frames:
                sentences.append(say(f"report.{task}.not_asked"))
            else:
                sentences.append(say(f"report.{task}.not_asked_in", n=frames, part=passed))
    if is_silent.any():
        if is_silent.all():
            sentences.append(say("report.no_model"))
        else:
            sentences.append(say("report.no_model_in", n=frames, part=int(is_silent.sum())))
    strange = {str(event.model) for event in events or () if event.model} - {str(model) for model in session.models}
    if strange:
        sentences.append(say("report.strange_models", names=words().join("items", sorted(strange))))
    return sentences

"""Which models answered in a session, and where the records do not say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.labels import TASKS
from mien.records.session import Session
from mien.reports.session.tables import Row
from mien.reports.session.words import KINDS
from mien.scene import Event
from mien.wording import count

MODELS = ("for", "model", "version", "threshold", "SHA-256", "found by", "frames")
"""The header of `model_rows`."""

_WHAT = {"emotion": "expressions", "gesture": "gestures"}


def model_rows(session: Session) -> list[Row]:
    """One row per model and threshold, with the number of frames it analysed; unknown values are a dash."""
    rows: list[Row] = []
    for task, column in zip(TASKS, session.model.T, strict=True):
        for place in dict.fromkeys(column[column >= 0].tolist()):
            model = session.models[place]
            about = (model.name, model.version, f"{model.threshold:g}", model.sha256 or "-", model.detector or "-")
            rows.append((_WHAT[task], *about, f"{int((column == place).sum()):,}"))
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
            sentences.append(
                f"{_WHAT[task].capitalize()} were read by {several} models, or with {several} thresholds: do not "
                "compare the parts of this session as if a single one had read them."
            )
        passed = int((~is_named[:, place] & ~is_silent).sum())
        if passed:
            where = "" if passed == frames else f" in {passed:,} of {count(frames, 'frame')}"
            sentences.append(f"{KINDS[task][1].capitalize()} were not looked for{where}.")
    if is_silent.any():
        where = "The records" if is_silent.all() else f"The records of {is_silent.sum():,} of {count(frames, 'frame')}"
        sentences.append(f"{where} do not say which model answered: an older version of mien wrote them.")
    strange = {str(event.model) for event in events or () if event.model} - {str(model) for model in session.models}
    if strange:
        sentences.append(f"The events file names models that the records do not: {', '.join(sorted(strange))}.")
    return sentences

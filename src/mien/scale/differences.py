"""How the settings of a batch differ from what is asked for now, in the words of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OPTIONS = {
    "tasks": "--task",
    "tiles": "--tiles",
    "detail": "--detail",
    "emotion_model": "--emotion-model",
    "gesture_model": "--gesture-model",
    "gestures": "--gestures",
    "baseline": "--baseline",
    "max_pixels": "--max-pixels",
    "every": "--every",
    "fps": "--fps",
    "start_s": "--from",
    "end_s": "--to",
    "keyframes": "--keyframes",
}
"""What a setting is called where the user gives it; others have no option and go by their own name."""

_UNSET = {
    "gestures": "all",
    "end_s": "the end",
    "emotion_threshold": "the model's own",
    "gesture_threshold": "the model's own",
}
"""What None says; of all others that they were not given."""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs, such as "--gestures: all before, now palm; --fps: not given before, now 5"; empty if nothing does.

    Args:
        before: from `Settings.to_dict`, through JSON.
        now: likewise.
    """
    told = []
    if before.get("mien") != now["mien"]:
        told.append(f"version of mien: {_value('mien', before.get('mien'))} before, now {now['mien']}")
    named: list[str] = []
    for group in ("options", "selection"):
        earlier = _mapping(before, group)
        changed = [name for name, value in now[group].items() if name not in earlier or earlier[name] != value]
        told += [
            f"{_named(name)}: {_told(earlier, name)} before, now {_value(name, now[group][name])}" for name in changed
        ]
        named += changed
    weights = _mapping(before, "weights")
    for task, digits in now["weights"].items():
        # Of another model, or of a task that was not asked for, that is no news.
        if weights.get(task) != digits and not {"tasks", f"{task}_model"} & set(named):
            told.append(f"weights of the {task} model: {_told(weights, task)} before, now {digits}")
    if before.get("baseline_sha256") != now["baseline_sha256"] and "baseline" not in named:
        told.append("--baseline: another picture before, under the same name")
    return "; ".join(told)


def _mapping(settings: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    found = settings.get(group)
    return found if isinstance(found, Mapping) else {}


def _named(name: str) -> str:
    return _OPTIONS.get(name, name.replace("_", " "))


def _told(earlier: Mapping[str, Any], name: str) -> str:
    return _value(name, earlier[name]) if name in earlier else "unknown"


def _value(name: str, value: Any) -> str:
    if value is None:
        return _UNSET.get(name, "not given")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(map(str, value))
    if name in ("start_s", "end_s"):
        return f"{value:g} s" if value or name == "end_s" else "the beginning"
    return f"{value:g}" if isinstance(value, float) else str(value)

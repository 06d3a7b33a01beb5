"""docs/benchmarks.md from results.json, which benchmarks/peers/run.py writes.

python benchmarks/peers/document.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mien.wording import count

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "benchmarks.md"

_HEAD = """# Beside other tools

Made by `python benchmarks/peers/document.py` from `benchmarks/peers/results.json`; do not edit it here. The figures are
from `python benchmarks/peers/run.py ENVIRONMENTS DATA` with mien {mien} on {machine}, at a load of {load} (other work
too). Each tool runs in a virtual environment of its own, which `benchmarks/peers/environments.py` makes, on one thread.
OpenCV reads pictures and videos for all alike, and that is part of the time. Times are by the clock and of the
processor, the least of {rounds}; the load stretches the clock, the processor time hardly.
"""
_CLIPS = """## Faces and expressions, from a video file to the answer
The first {frames} frames of each clip. mien and fer read the expression of each face on the way; deepface only finds
faces.
"""
_GROUPS = """## Photos of groups
18 photos, 339 known faces; a face that is found beyond these may well be one.
"""
_FACES = """## Expressions of single faces
{faces} faces of FER2013's {split}, one at a time on one thread; the median processor time per face, with its
preparation. deepface's model is downloaded at run time and was not compared.
"""
_HANDS = """## Hands
Clips as above; {hand_photos} photos, each of one hand (fists, thumbs, palms, V signs; HaGRID), with their edges
continued.
"""
_HANDS_MEAN = """mien reads the gesture as well and finds any number of hands; MediaPipe is asked for up to four and
gives landmarks only.
"""
_SIZES = """## Install and memory
The most memory of a process that finds; packages and megabytes of the environment.
"""


def document(results: dict[str, Any]) -> str:
    """The page, in Markdown.

    Args:
        results: of `run.py`.
    """
    about, tools = results["about"], results["tools"]
    of_faces = {name: tool for name, tool in tools.items() if tool["finds"] == "faces"}
    of_hands = {name: tool for name, tool in tools.items() if tool["finds"] == "hands"}
    parts = [_HEAD.format(**about | {"rounds": count(about["rounds"], "round")})]
    parts.append(_CLIPS.format(**about))
    rows = []
    for name, tool in of_faces.items():
        for clip, told in tool["clips"].items():
            rows.append([name, clip, told["frames"], told["found"], told["frames_with"], *_times(told)])
    headings = ["tool", "clip", "frames", "faces", "frames with a face", "ms per frame", "processor ms"]
    parts.append(_table(headings, rows))
    if ratios := _ratios(of_faces):
        parts.append(ratios)
    parts.append(_GROUPS)
    rows = []
    for name, tool in of_faces.items():
        told = tool["photos"]["groups"]
        share = f"{told['right']} of {told['known']} ({100 * told['right'] / told['known']:.1f} %)"
        rows.append([name, share, told["found"], *_times(told)])
    parts.append(_table(["tool", "known faces found", "boxes", "ms per photo", "processor ms"], rows))
    parts.append(_FACES.format(**about))
    rows = [
        [name.partition(",")[0], f"{100 * tool['accuracy']:.1f} %", tool["ms_per_face"]]
        for name, tool in of_faces.items()
        if "accuracy" in tool
    ]
    parts.append(_table(["tool", "accuracy", "ms per face"], rows))
    parts.append(_HANDS.format(**about))
    rows = []
    for name, tool in of_hands.items():
        for clip, told in tool["clips"].items():
            rows.append([name, clip, f"{told['frames_with']} of {told['frames']}", *_times(told)])
        told = tool["photos"]["hands"]
        rows.append([name, "photos", f"{told['photos_with']} of {told['photos']}", *_times(told)])
    parts.append(_table(["tool", "on", "with a hand", "ms per picture", "processor ms"], rows))
    parts += [_HANDS_MEAN, _SIZES]
    rows = [
        [name, tool["packages"], tool["megabytes"], tool["memory_mb"], tool["start_s"]] for name, tool in tools.items()
    ]
    parts.append(_table(["tool", "packages", "MB installed", "MB of memory", "s to start"], rows))
    notes = {tool["note"]: name.partition(",")[0] for name, tool in tools.items() if "note" in tool}
    parts.append("\n".join(f"- {name}: {note}" for note, name in notes.items()) + "\n")
    reasons = "\n".join(f"- {name}: {why}" for name, why in results["not_run"].items())
    parts.append(f"## Not compared\n{reasons}\n")
    return "\n".join(parts)


def _ratios(tools: dict[str, Any]) -> str:
    """How many times faster mien is than each of the others, over the clips with faces."""
    ours = tools.get("mien")
    if ours is None:
        return ""
    lines = []
    for name, tool in tools.items():
        if name == "mien":
            continue
        clips = [clip for clip, told in ours["clips"].items() if told["found"]]
        clock, used = (
            sum(tool["clips"][clip][key] for clip in clips) / sum(ours["clips"][clip][key] for clip in clips)
            for key in ("ms", "processor_ms")
        )
        lines.append([name, f"{clock:.1f}", f"{used:.1f}"])
    return "Times that of mien, on the clips with faces:\n\n" + _table(["tool", "clock", "processor"], lines)


def _times(told: dict[str, Any]) -> list[str]:
    return [f"{told['ms']:.1f}", f"{told['processor_ms']:.1f}"]


def _table(headings: list[str], rows: list[list[Any]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    results = json.loads((HERE / "results.json").read_text("utf-8"))
    DOCUMENT.write_text(document(results), "utf-8")

"""What runs in the environment of a tool: finds faces or hands, reads expressions, and prints figures as JSON.

    python measure.py MODULE VARIANT JOB.json

MODULE is a file beside this one whose `open_tool(variant)` gives something, on one thread, with
`find(image_rgb, still)` -> boxes [[x1, y1, x2, y2], ...] in pixels (of faces, whose expressions are read on the way, or
of hands) and, for tools that read expressions, `labels` and `read(face_rgb)` -> a label. It knows nothing of mien.

Pictures and videos are read by OpenCV for all tools alike, and that is part of the time. Memory is the most that the
process had after finding and before faces are read one by one.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever the tools print is not an answer

import cv2  # noqa: E402
import numpy as np  # noqa: E402

WARM_UP = 5


def main() -> None:
    module, variant, job = sys.argv[1], sys.argv[2], json.loads(Path(sys.argv[3]).read_text("utf-8"))
    cv2.setNumThreads(1)
    started = time.perf_counter()
    tool = importlib.import_module(module).open_tool(variant)
    for _ in range(WARM_UP):
        tool.find(np.full((360, 640, 3), 120, np.uint8), False)
    figures = {"start_s": time.perf_counter() - started}
    figures["clips"] = {name: clip(tool, path, job["frames"]) for name, path in job.get("clips", {}).items()}
    figures["photos"] = {name: photos(tool, paths) for name, paths in job.get("photos", {}).items()}
    figures["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    if job.get("crops"):
        figures["crops"] = crops(tool, np.load(job["crops"]))
    answers.write(json.dumps(figures) + "\n")


def clip(tool, path: str, frames: int) -> dict:
    """How many faces or hands each frame has, and milliseconds per frame from file to answer."""
    capture = cv2.VideoCapture(path)
    found, began, used = [], time.perf_counter(), time.process_time()
    while len(found) < frames:
        is_there, image_bgr = capture.read()
        if not is_there:
            break
        found.append(len(tool.find(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), False)))
    took, used = time.perf_counter() - began, time.process_time() - used
    capture.release()
    return {"found": found, "ms": 1000 * took / len(found), "processor_ms": 1000 * used / len(found)}


def photos(tool, paths: list[str]) -> dict:
    """The boxes of each photo, and milliseconds per photo."""
    boxes, began, used = [], time.perf_counter(), time.process_time()
    for path in paths:
        image_rgb = cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
        boxes.append([[float(v) for v in box] for box in tool.find(image_rgb, True)])
    took, used = time.perf_counter() - began, time.process_time() - used
    return {"boxes": boxes, "ms": 1000 * took / len(paths), "processor_ms": 1000 * used / len(paths)}


def crops(tool, faces: np.ndarray) -> dict:
    """Labels of (N, 48, 48) uint8 grey faces, and processor milliseconds per face, one at a time: the median."""
    told, times = [], []
    for face in faces:
        used = time.process_time()
        told.append(tool.read(np.repeat(face[..., None], 3, axis=2)))
        times.append(1000 * (time.process_time() - used))
    return {"labels": told, "processor_ms": statistics.median(times)}


if __name__ == "__main__":
    main()

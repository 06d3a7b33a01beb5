"""`mien doctor`: what is installed, what works here, and whether the models are intact."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer

from mien import __version__
from mien.errors import MienError
from mien.extras import MODULES
from mien.wording import count

State = Literal["ok", "-", "BAD"]
Line = tuple[State, str, str]

_NETWORK: Line = ("ok", "network", "used only for a stream whose address you give, and by `mien train --weights hub`")

_MANY = 8  # languages; more are only counted
_NAME = re.compile(r"[\w.-]+")


def doctor(
    cameras: Annotated[
        bool,
        typer.Option("--cameras", help="Take a picture with each camera; its light goes on for a moment."),
    ] = False,
) -> None:
    """Show what works on this machine; the exit code is 1 if a part of the package itself does not."""
    devices = [*_cameras(cameras), *_sound(), *_voices(), *_fonts()]
    lines = [*_software(), *_extras(), *_runtime(), *_models(), *_video(), *devices, _NETWORK]
    width = max(len(subject) for _, subject, _ in lines)
    for state, subject, finding in lines:
        typer.echo(f"{state:<4}{subject:<{width}}  {finding}")
    bad = sum(state == "BAD" for state, _, _ in lines)
    typer.echo(f"{count(bad, 'problem')}." if bad else "All of the package works here.")
    if bad:
        raise typer.Exit(1)


def _software() -> Iterator[Line]:
    yield "ok", "mien", __version__
    yield "ok", "Python", f"{platform.python_version()} on {platform.platform()}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "ok", "cores", f"{cores}"
    for name in _base():
        try:
            yield "ok", name, metadata.version(name)
        except metadata.PackageNotFoundError:
            # opencv-python and opencv-contrib-python work as well as the headless build.
            is_there = name.startswith("opencv") and importlib.util.find_spec("cv2") is not None
            yield ("ok", name, "another build of OpenCV") if is_there else ("BAD", name, "not installed")


def _base() -> list[str]:
    """Names of the packages that mien always needs, as its own metadata states them; none under a condition."""
    stated = metadata.requires("mien") or ()
    return [found[0] for each in stated if ";" not in each and (found := _NAME.match(each))]


def _extras() -> Iterator[Line]:
    for extra, modules in MODULES.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            yield "-", f"extra {extra}", f"not installed ({', '.join(missing)}); pip install 'mien[{extra}]'"
        else:
            yield "ok", f"extra {extra}", "installed"


def _runtime() -> Iterator[Line]:
    from mien.environment import TELEMETRY
    from mien.models.onnx_runtime import onnx_runtime
    from mien.models.providers import available_providers, short_name

    # Checked before mien sets it: an earlier import without the variable has let it report.
    is_late = "onnxruntime" in sys.modules and os.environ.get(TELEMETRY) != "1"
    onnx_runtime()
    yield "ok", "providers", f"{', '.join(map(short_name, available_providers()))}; --provider chooses, cpu by default"
    if is_late:
        yield "BAD", "telemetry", f"onnxruntime was imported before mien and without {TELEMETRY}=1; set it"
    else:
        yield "ok", "telemetry", f"off: {TELEMETRY}=1 was set before onnxruntime was imported"


def _models() -> Iterator[Line]:
    from mien.models.artifact import load_artifact, zoo_names
    from mien.models.session import Session

    if not zoo_names():
        yield "BAD", "models", "the package holds none; reinstall it"
    for name in zoo_names():
        try:
            artifact = load_artifact(name)
            Session(artifact).close()
        except MienError as error:
            yield "BAD", f"model {name}", str(error)
        else:
            yield "ok", f"model {name}", f"hash {artifact.manifest.sha256[:12]} as stated, loads"


def _video() -> Iterator[Line]:
    import numpy as np

    from mien.outputs.video import VideoWriter
    from mien.sources import open_source

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.mp4"
        try:
            with VideoWriter(path, 10.0, (64, 64)) as video:
                for level in (0, 100, 200):
                    video.write(np.full((64, 64, 3), level, np.uint8))
            with open_source(path) as source:
                frames = sum(1 for _ in source)
        except MienError as error:
            yield "BAD", "video", str(error)
        else:
            yield ("ok" if frames == 3 else "BAD"), "video", f"wrote 3 frames, read {frames}"


def _cameras(is_tried: bool) -> Iterator[Line]:
    """The cameras that the system lists; on a system without a list they are looked for only if they may be opened."""
    from mien.sources.cameras import PROBED, CameraInfo, has_camera_list, list_cameras

    cameras = list_cameras()
    if not has_camera_list():
        if not is_tried:
            yield "-", "camera", "not looked for, because that switches its light on; use `mien doctor --cameras`"
            return
        cameras = [CameraInfo(index, f"number {index}", "") for index in range(PROBED)]
    found = 0
    for camera in cameras:
        what = f"{camera.name} ({camera.path})" if camera.path else camera.name
        state: State = "-" if camera.problem else "ok"
        finding = f"{what}: {camera.problem}" if camera.problem else what
        if is_tried and not camera.problem:
            state, answer = _tried(camera.index)
            finding = f"{what}: {answer}"
        if has_camera_list() or state == "ok":
            found += 1
            yield state, f"camera {camera.index}", finding
    if not found:
        yield "-", "camera", "none found"


def _tried(index: int) -> tuple[State, str]:
    from mien.sources.cameras import Camera

    try:
        with Camera(index, first_s=5.0) as camera:
            image_rgb = camera.read()
    except MienError as error:
        return "-", str(error)
    if image_rgb is None:
        return "-", "delivers no picture"
    return "ok", f"delivers {image_rgb.shape[1]} x {image_rgb.shape[0]} pixels"


def _sound() -> Iterator[Line]:
    if sys.platform.startswith("linux"):
        cards = Path("/proc/asound/cards")
        has_sound = cards.is_file() and "no soundcards" not in cards.read_text(encoding="utf-8", errors="replace")
        yield (("ok", "sound", "a sound card is present") if has_sound else ("-", "sound", "no sound card found"))
    else:
        yield "-", "sound", "not looked for on this system"


def _voices() -> Iterator[Line]:
    """The engines that can speak, with their languages; for --voice, the names of those for mien's own languages."""
    from mien.voice.engines import find_engines
    from mien.words import languages

    engines = find_engines()
    for engine in engines:
        try:
            voices = engine.voices()
        except MienError as error:
            yield "-", f"voice {engine.name}", str(error)
            continue
        tags = {voice.language.partition("-")[0] for voice in voices if voice.language.strip("-")}
        own = [voice.name for voice in voices if voice.language.partition("-")[0] in {*languages(), "cmn"}]
        few = ", ".join(sorted(tags)) or "unknown languages"
        told = count(len(tags), "language") if len(tags) > _MANY else few
        yield "ok", f"voice {engine.name}", f"{told}; --voice takes {', '.join(own) or 'none of its voices'}"
    if not engines:
        yield "-", "voice", "only the package's English sentences; install espeak-ng for others"


def _fonts() -> Iterator[Line]:
    """Whether what mien says can be drawn in each of its languages."""
    from mien.outputs.lettering.fonts import font_for, is_drawable
    from mien.words import languages, words

    for tag in languages():
        text = str(words(tag).texts)
        face = font_for(text)
        if face is not None:
            yield "ok", f"font {tag}", face.path
        elif not is_drawable(text):
            yield (
                "-",
                f"font {tag}",
                "none; drawings are in English. Install fonts-noto-cjk, or name a font in MIEN_FONTS",
            )

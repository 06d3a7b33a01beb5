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
from rich.cells import cell_len

from mien import __version__
from mien.cli.console.plain import indented, is_plain, plain_line
from mien.cli.console.reading import left
from mien.errors import MienError
from mien.extras import MODULES
from mien.resource import usable_cores
from mien.words import listed, say, words

State = Literal["ok", "-", "BAD"]
Line = tuple[State, str, str]

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
    network: Line = ("ok", say("doctor.network"), say("doctor.network_used"))
    lines = [*_software(), *_extras(), *_runtime(), *_models(), *_video(), *devices, network]
    states = {"ok": say("doctor.ok"), "-": "-", "BAD": say("doctor.bad")}
    wide, width = (max(map(cell_len, texts)) for texts in (states.values(), [subject for _, subject, _ in lines]))
    for state, subject, finding in lines:
        if is_plain():
            typer.echo(plain_line(subject, states[state].strip("-"), finding))
            continue
        before = f"{left(states[state], wide + 1)}{left(subject, width + 2)}"
        typer.echo(before + indented(finding, cell_len(before)))
    bad = sum(state == "BAD" for state, _, _ in lines)
    typer.echo(say("doctor.problems", n=bad) if bad else say("doctor.works"))
    if bad:
        raise typer.Exit(1)


def _software() -> Iterator[Line]:
    yield "ok", "mien", __version__
    yield "ok", "Python", say("doctor.python", version=platform.python_version(), system=platform.platform())
    yield "ok", say("doctor.cores"), f"{usable_cores()}"
    for name in _base():
        try:
            yield "ok", name, metadata.version(name)
        except metadata.PackageNotFoundError:
            # opencv-python and opencv-contrib-python work as well as the headless build.
            is_there = name.startswith("opencv") and importlib.util.find_spec("cv2") is not None
            yield ("ok", name, say("doctor.other_opencv")) if is_there else ("BAD", name, say("doctor.not_installed"))


def _base() -> list[str]:
    """Names of the packages that mien always needs, as its own metadata states them; none under a condition."""
    stated = metadata.requires("mien") or ()
    return [found[0] for each in stated if ";" not in each and (found := _NAME.match(each))]


def _extras() -> Iterator[Line]:
    for extra, modules in MODULES.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        subject = say("doctor.extra", name=extra)
        if missing:
            yield "-", subject, say("doctor.extra_missing", modules=listed(missing), name=extra)
        else:
            yield "ok", subject, say("doctor.installed")


def _runtime() -> Iterator[Line]:
    from mien.environment import TELEMETRY
    from mien.models.onnx_runtime import onnx_runtime
    from mien.models.providers import available_providers, short_name

    # Checked before mien sets it: an earlier import without the variable has let it report.
    is_late = "onnxruntime" in sys.modules and os.environ.get(TELEMETRY) != "1"
    onnx_runtime()
    names = listed(map(short_name, available_providers()))
    yield "ok", say("doctor.providers"), say("doctor.providers_there", names=names)
    if is_late:
        yield "BAD", say("doctor.telemetry"), say("doctor.telemetry_late", setting=f"{TELEMETRY}=1")
    else:
        yield "ok", say("doctor.telemetry"), say("doctor.telemetry_off", setting=f"{TELEMETRY}=1")


def _models() -> Iterator[Line]:
    from mien.models.artifact import load_artifact, zoo_names
    from mien.models.session import Session

    if not zoo_names():
        yield "BAD", say("doctor.models"), say("doctor.no_models")
    for name in zoo_names():
        subject = say("doctor.model", name=name)
        try:
            artifact = load_artifact(name)
            Session(artifact).close()
        except MienError as error:
            yield "BAD", subject, str(error)
        else:
            yield "ok", subject, say("doctor.model_loads", hash=artifact.manifest.sha256[:12])


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
            yield "BAD", say("doctor.video"), str(error)
        else:
            yield ("ok" if frames == 3 else "BAD"), say("doctor.video"), say("doctor.video_read", frames=frames)


def _cameras(is_tried: bool) -> Iterator[Line]:
    """The cameras that the system lists; on a system without a list they are looked for only if they may be opened."""
    from mien.sources.cameras import PROBED, CameraInfo, has_camera_list, list_cameras

    cameras = list_cameras()
    if not has_camera_list():
        if not is_tried:
            yield "-", say("doctor.camera"), say("doctor.cameras_untried")
            return
        numbers = [(index, say("doctor.camera_number", index=index)) for index in range(PROBED)]
        cameras = [CameraInfo(index, number, "") for index, number in numbers]
    found = 0
    for camera in cameras:
        what = say("doctor.camera_at", name=camera.name, path=camera.path) if camera.path else camera.name
        state: State = "-" if camera.problem else "ok"
        finding = say("doctor.camera_is", name=what, finding=camera.problem) if camera.problem else what
        if is_tried and not camera.problem:
            state, answer = _tried(camera.index)
            finding = say("doctor.camera_is", name=what, finding=answer)
        if has_camera_list() or state == "ok":
            found += 1
            yield state, say("doctor.camera_of", index=camera.index), finding
    if not found:
        yield "-", say("doctor.camera"), say("doctor.no_camera")


def _tried(index: int) -> tuple[State, str]:
    from mien.sources.cameras import Camera

    try:
        with Camera(index, first_s=5.0) as camera:
            image_rgb = camera.read()
    except MienError as error:
        return "-", str(error)
    if image_rgb is None:
        return "-", say("doctor.no_picture")
    return "ok", say("doctor.picture", width=image_rgb.shape[1], height=image_rgb.shape[0])


def _sound() -> Iterator[Line]:
    if sys.platform.startswith("linux"):
        cards = Path("/proc/asound/cards")
        has_sound = cards.is_file() and "no soundcards" not in cards.read_text(encoding="utf-8", errors="replace")
        finding = say("doctor.sound_card" if has_sound else "doctor.no_sound_card")
        yield "ok" if has_sound else "-", say("doctor.sound"), finding
    else:
        yield "-", say("doctor.sound"), say("doctor.sound_untried")


def _voices() -> Iterator[Line]:
    """The engines that can speak, with their languages; for --voice, the names of those for mien's own languages."""
    from mien.voice.engines import find_engines
    from mien.words import languages

    engines = find_engines()
    for engine in engines:
        subject = say("doctor.voice_of", name=engine.name)
        try:
            voices = engine.voices()
        except MienError as error:
            yield "-", subject, str(error)
            continue
        tags = {voice.language.partition("-")[0] for voice in voices if voice.language.strip("-")}
        own = [voice.name for voice in voices if voice.language.partition("-")[0] in {*languages(), "cmn"}]
        few = listed(sorted(tags)) or say("doctor.unknown_languages")
        told = say("doctor.languages", n=len(tags)) if len(tags) > _MANY else few
        taken = say("doctor.voices", names=listed(own)) if own else say("doctor.no_voices")
        yield "ok", subject, words().join("parts", [told, taken])
    if not engines:
        yield "-", say("doctor.voice"), say("doctor.only_english")


def _fonts() -> Iterator[Line]:
    """Whether what mien says can be drawn in each of its languages."""
    from mien.outputs.lettering.fonts import font_for, is_drawable
    from mien.words import languages

    for tag in languages():
        text = str(words(tag).texts)
        face = font_for(text)
        if face is not None:
            yield "ok", say("doctor.font", tag=tag), face.path
        elif not is_drawable(text):
            yield "-", say("doctor.font", tag=tag), say("doctor.no_font")

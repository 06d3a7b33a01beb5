"""Annotated copies of what was looked at: pictures as pictures, videos as videos with their own times and sound."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mien.errors import OutputError, RefusedOutput
from mien.files.plan import WritePlan
from mien.files.targets import check_name
from mien.outputs.animation import ANIMATIONS, AnimationWriter
from mien.outputs.background import Worker, close_begun
from mien.outputs.draw import draw_scene
from mien.outputs.encoders import SUFFIXES
from mien.outputs.sound import SoundOf
from mien.outputs.video import VideoWriter
from mien.resource import ResultWriter
from mien.scene import Scene
from mien.wording import count

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
VIDEOS = (*SUFFIXES, *ANIMATIONS)

_FALLBACK_FPS = 25.0
_MOST_FPS = 1000.0
_ROOM = 2


class SavedMedia:
    """Where the annotated copies of several sources go, decided before anything is read.

    Args:
        target: a folder, created if necessary; or, for a single source, a file with the suffix of a picture or video. A
            name with a suffix never becomes a folder, unless it ends in a separator.
        sources: everything that will be saved, and whether each is a video; a second file of the same name gets `-2`.
        plan: asked about each copy.
        with_sound: whether copies of videos get their sound.
        text_scale: of the size of labels.

    Raises:
        RefusedOutput: the target cannot take these sources, or a copy would replace something.
        OutputError: the folder cannot be created.
    """

    def __init__(
        self,
        target: str,
        sources: Sequence[tuple[Path, bool]],
        plan: WritePlan,
        *,
        with_sound: bool = True,
        text_scale: float = 1.0,
    ) -> None:
        self._with_sound = with_sound
        self._text_scale = text_scale
        self._told: set[str] = set()
        self._waiting: Mapping[Path, list[Path]] = defaultdict(list)
        check_name(target, "--save")
        folder = Path(target)
        if folder.is_dir() or not folder.suffix or target.endswith((os.sep, os.altsep or os.sep)):
            copies = self._named(folder, sources)
        else:
            copies = [_checked(folder, sources)]
        for (source, _), copy in zip(sources, copies, strict=True):
            plan.file(copy, "--save")
            self._waiting[source].append(copy)
        try:
            for parent in {copy.parent for copy in copies}:
                parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(
                f"The folder {exc.filename} cannot be created: {exc.strerror}; name another one."
            ) from exc

    def open(
        self,
        path: Path,
        *,
        is_video: bool,
        fps: float | None,
        start_s: float = 0.0,
        end_s: float | None = None,
    ) -> SavedMedium:
        """The copy of one source, to be used in a `with` statement.

        Args:
            path: the source.
            is_video: whether its copy is a video.
            fps: nominal frames per second of the copy; 25 if unknown.
            start_s: time of the source at which the copy begins, in seconds.
            end_s: time of the source at which the copy ends; None for its end.
        """
        sound = SoundOf(path=path, start_s=start_s, end_s=end_s) if is_video and self._with_sound else None
        fps = min(fps, _MOST_FPS) if fps else _FALLBACK_FPS
        copy, scale = self._waiting[path].pop(0), self._text_scale
        return SavedMedium(copy, is_video=is_video, fps=fps, sound=sound, start_s=start_s, text_scale=scale)

    def news(self, copy: SavedMedium) -> str:
        """The remark about a copy if no other had the same; else empty."""
        remark = "" if copy.remark in self._told else copy.remark
        self._told.add(copy.remark)
        return remark

    def _named(self, folder: Path, sources: Sequence[tuple[Path, bool]]) -> list[Path]:
        used: set[str] = set()
        copies = []
        for path, is_video in sources:
            suffix = ".mp4" if is_video else path.suffix if path.suffix.lower() in PICTURES else ".png"
            name, number = f"{path.stem}{suffix}", 1
            while name.lower() in used:
                number += 1
                name = f"{path.stem}-{number}{suffix}"
            used.add(name.lower())
            copies.append(folder / name)
        return copies


class SavedMedium(ResultWriter):
    """One annotated copy; an interrupted video keeps the frames written so far.

    A video is drawn and encoded on a thread of its own, while the next frames are looked at.

    Args:
        path: of the copy.
        is_video: whether it is a video.
        fps: nominal frames per second.
        sound: what sound goes with it; None for none.
        start_s: time of the source at which it begins.
        text_scale: of the size of labels.

    Attributes:
        remark: what to know about the copy once it is closed, a sentence; empty if there is nothing.
        problem: what is wrong with its sound once it is closed, a sentence; empty if nothing is.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_video: bool,
        fps: float,
        sound: SoundOf | None = None,
        start_s: float = 0.0,
        text_scale: float = 1.0,
    ) -> None:
        self._text_scale = text_scale
        self.path, self._is_video, self._fps = path, is_video, fps
        self.remark = self.problem = ""
        self._sound, self._start_s = sound, start_s
        self._video: VideoWriter | AnimationWriter | None = None
        self._worker: Worker[Scene] | None = None

    def write(self, scene: Scene) -> None:
        """Draw the scene and add it; an error may come with a later scene, or with `close`."""
        if not self._is_video:
            draw_scene(scene, text_scale=self._text_scale).save(self.path)
            return
        if self._worker is None:
            self._video = self._opened(scene.size_hw)
            self._worker = Worker(self._add, room=_ROOM, name=f"save {self.path.name}")
        self._worker.put(scene)

    def close(self) -> None:
        """Finish the copy; may be called twice."""
        try:
            close_begun(self._worker)
        except BaseException:
            self.fail()
            raise
        if self._video is not None:
            self._video.close()
            self._note(self._video)

    def fail(self) -> None:
        """Finish the copy after an error or interruption, with what there is."""
        try:
            close_begun(self._worker)
        finally:
            if self._video is not None:
                self._video.fail()
                self._note(self._video)

    def _opened(self, size_hw: tuple[int, int]) -> VideoWriter | AnimationWriter:
        if self.path.suffix.lower() in ANIMATIONS:
            return AnimationWriter(self.path, self._fps, size_hw)
        return VideoWriter(self.path, self._fps, size_hw, sound=self._sound)

    def _add(self, scene: Scene) -> None:
        if self._video is not None:
            drawn = draw_scene(scene, text_scale=self._text_scale).image_rgb
            self._video.write(drawn, scene.time_s - self._start_s)

    def _note(self, video: VideoWriter | AnimationWriter) -> None:
        if isinstance(video, VideoWriter):
            self.problem, self.remark = video.problem, video.advice


def _checked(file: Path, sources: Sequence[tuple[Path, bool]]) -> Path:
    """The file, if it can hold the sources."""
    if len(sources) != 1:
        raise RefusedOutput(
            f"--save {file} is a single file, but there are {count(len(sources), 'source')}; name a folder."
        )
    (source, is_video), valid = sources[0], VIDEOS if sources[0][1] else PICTURES
    if file.suffix.lower() not in valid:
        what = "video" if is_video else "picture"
        raise RefusedOutput(
            f"--save {file}: the copy of {source}, a {what}, must end in one of {', '.join(valid)}; "
            "end the name of a folder in /."
        )
    return file

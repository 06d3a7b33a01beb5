"""Annotated copies of what was looked at: pictures as pictures, videos as videos without sound."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mien.errors import OutputError, RefusedOutput
from mien.files import WritePlan, check_name
from mien.outputs.animation import ANIMATIONS, AnimationWriter
from mien.outputs.draw import draw_scene
from mien.outputs.video import CODECS, VideoWriter
from mien.resource import ResultWriter
from mien.scene import Scene
from mien.wording import count

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
VIDEOS = (*CODECS, *ANIMATIONS)

_FALLBACK_FPS = 25.0


class SavedMedia:
    """Where the annotated copies of several sources go, decided before anything is read.

    Args:
        target: a folder, created if necessary; or, for a single source, a file with the suffix of a picture or video. A
            name with a suffix never becomes a folder, unless it ends in a separator.
        sources: everything that will be saved, and whether each is a video; a second file of the same name gets `-2`.
        plan: asked about each copy.

    Raises:
        RefusedOutput: the target cannot take these sources, or a copy would replace something.
        OutputError: the folder cannot be created.
    """

    def __init__(self, target: str, sources: Sequence[tuple[Path, bool]], plan: WritePlan) -> None:
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

    def open(self, path: Path, *, is_video: bool, fps: float | None) -> SavedMedium:
        """The copy of one source, to be used in a `with` statement.

        Args:
            path: the source.
            is_video: whether its copy is a video.
            fps: frames per second of the copy; 25 if unknown.
        """
        return SavedMedium(self._waiting[path].pop(0), is_video=is_video, fps=fps or _FALLBACK_FPS)

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
    """One annotated copy; an interrupted video keeps the frames written so far."""

    def __init__(self, path: Path, *, is_video: bool, fps: float) -> None:
        self.path, self._is_video, self._fps = path, is_video, fps
        self._video: VideoWriter | AnimationWriter | None = None

    def write(self, scene: Scene) -> None:
        """Draw the scene and add it."""
        picture = draw_scene(scene)
        if not self._is_video:
            picture.save(self.path)
            return
        if self._video is None:
            kind = VideoWriter if self.path.suffix.lower() in CODECS else AnimationWriter
            self._video = kind(self.path, self._fps, scene.size_hw)
        self._video.write(picture.image_rgb)

    def close(self) -> None:
        if self._video is not None:
            self._video.close()

    def fail(self) -> None:
        if self._video is not None:
            self._video.fail()


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

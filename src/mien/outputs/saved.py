"""Annotated copies of what was looked at: pictures as pictures, videos as videos without sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mien.errors import OutputError
from mien.outputs.draw import draw_scene
from mien.outputs.video import VideoWriter
from mien.scene import Scene

_PICTURES = {".jpg", ".jpeg", ".png"}
_FALLBACK_FPS = 25.0


class SavedMedia:
    """Where the annotated copies of several sources go.

    Args:
        target: a folder, made if need be; or, for a single source, a file named `.jpg`, `.png` or `.mp4`.
        sources: all that will be saved, so that equal names can be told apart (the second gets `-2`).

    Raises:
        OutputError: the folder cannot be made, or a copy would replace its own source.
    """

    def __init__(self, target: Path, sources: Sequence[Path]) -> None:
        self._single = len(sources) == 1 and target.suffix.lower() in {*_PICTURES, ".mp4"} and not target.is_dir()
        self._target = target
        folder = target.parent if self._single else target
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise OutputError(f"The folder {folder} cannot be made: {exc.strerror}; name another one.") from exc
        self._originals = {path.resolve() for path in sources}
        self._used: set[str] = set()

    def open(self, path: Path, *, is_video: bool, fps: float | None) -> SavedMedium:
        """The copy of one source, to be used in a `with` statement.

        Args:
            path: the source.
            is_video: whether its copy is a video.
            fps: frames a second of the copy; 25 when nobody knows.
        """
        copy = self._target if self._single else self._target / self._name(path, is_video)
        if copy.resolve() in self._originals:
            raise OutputError(f"Saving to {copy} would replace a source; name another folder.")
        return SavedMedium(copy, is_video=is_video, fps=fps or _FALLBACK_FPS)

    def _name(self, path: Path, is_video: bool) -> str:
        suffix = ".mp4" if is_video else path.suffix if path.suffix.lower() in _PICTURES else ".png"
        name, number = f"{path.stem}{suffix}", 1
        while name.lower() in self._used:
            number += 1
            name = f"{path.stem}-{number}{suffix}"
        self._used.add(name.lower())
        return name


class SavedMedium:
    """One annotated copy; a video that is interrupted keeps the frames so far."""

    def __init__(self, path: Path, *, is_video: bool, fps: float) -> None:
        self.path, self._is_video, self._fps = path, is_video, fps
        self._video: VideoWriter | None = None

    def write(self, scene: Scene) -> None:
        """Draw the scene and add it."""
        picture = draw_scene(scene)
        if not self._is_video:
            picture.save(self.path)
            return
        if self._video is None:
            self._video = VideoWriter(self.path, self._fps, scene.size_hw).__enter__()
        self._video.write(picture.image_rgb)

    def __enter__(self) -> SavedMedium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._video is not None:
            self._video.__exit__(kind, error, trace)

"""Pixels of any kind as (H, W, 3) uint8 RGB: depth, palettes, transparency, and profiles brought to sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import UnreadableMedia

if TYPE_CHECKING:
    from PIL import Image

_BAND_PIXELS = 2**18  # small enough for the cache: three times as fast as all at once
_CLEAR_MODES = frozenset(("RGBA", "LA", "PA", "La", "RGBa"))
_PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_SAME_LEVELS = 2


def rgb8(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """The pixels of a picture of Pillow as (H, W, 3) uint8 RGB, its own colours in sRGB, transparency on white.

    An embedded profile that cannot be used is left aside, as is one that changes no level by more than 2.

    Args:
        image: loaded, of any mode.
        name: what to call it in an error.

    Raises:
        UnreadableMedia: its values are not those of 8 or 16 bits.
        OSError, ValueError and others of Pillow: it is damaged.
    """
    if image.mode == "F":
        raise unread_values(name, "float32")
    if image.mode.startswith("I"):
        image = _from_deep_grey(image, name)
    if image.mode in _CLEAR_MODES or "transparency" in image.info:
        clear = in_srgb(image.convert("RGBA"), image)
        return on_white(pixels(clear))
    if image.mode in ("L", "1"):
        grey = in_srgb(image.convert("L"), image)
        return pixels(grey) if grey.mode == "RGB" else np.repeat(pixels(grey), 3, axis=2)
    if image.mode == "CMYK":
        image = in_srgb(image, image)
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    return pixels(in_srgb(rgb, image))


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, C) uint8 of a picture with 8 bits per channel, without a second copy of it on the way."""
    width, height = image.size
    out = np.empty((height, width, len(image.getbands())), np.uint8)
    rows = max(_BAND_PIXELS // max(width, 1), 1)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = image if rows >= height else image.crop((0, top, width, bottom))
        out[top:bottom] = np.frombuffer(band.tobytes(), np.uint8).reshape(bottom - top, width, -1)
    return out


def on_white(image_rgba: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W, 4) RGBA or (H, W, 2) grey with alpha, uint8, as (H, W, 3) uint8 RGB on white."""
    h, w, c = image_rgba.shape
    out = np.empty((h, w, 3), np.uint8)
    rows = max(_BAND_PIXELS // max(w, 1), 1)
    for top in range(0, h, rows):  # in bands, so that a large picture needs no second copy of itself in 32 bits
        band = image_rgba[top : top + rows]
        colour = band[..., :3] if c == 4 else band[..., [0, 0, 0]]
        if (band[..., -1] != 255).any():
            alpha = band[..., -1:].astype(np.uint32)
            colour = (colour * alpha + 255 * (255 - alpha) + 127) // 255
        out[top : top + rows] = colour
    return out


def eight_bits(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """0 to 65535 as 0 to 255, rounded; any shape."""
    out = np.empty(values.shape, np.uint8)
    rows = max(_BAND_PIXELS // max(int(np.prod(values.shape[1:])), 1), 1)
    for top in range(0, len(values), rows):
        out[top : top + rows] = (values[top : top + rows].astype(np.uint32) + 128) // 257
    return out


def in_srgb(image: Image.Image, original: Image.Image) -> Image.Image:
    """A picture in the colours that the profile of its original means: RGB, or of mode RGBA if it is so.

    It is given back as it is when there is no profile, or none for its mode that can be used.

    Args:
        image: of mode RGB, RGBA, L or CMYK.
        original: the picture as it was opened, which has the profile.
    """
    profile = original.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        return image
    transform = _to_srgb(profile, image.mode)
    if transform is None:
        return image
    from PIL import ImageCms

    try:
        return ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, ValueError, OSError):  # a profile that opens may still not convert
        return image


def has_other_colours(image: Image.Image) -> bool:
    """Whether `in_srgb` changes a picture, because of its profile."""
    profile = image.info.get("icc_profile")
    return isinstance(profile, bytes) and bool(profile) and _to_srgb(profile, image.mode) is not None


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> Any:
    """The conversion to sRGB from an embedded profile; None if it cannot be used or changes next to nothing."""
    from PIL import Image, ImageCms

    bands = "RGB" if mode == "RGBA" else mode
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if _PROFILE_MODES.get(source.profile.xcolor_space) != bands:
            return None
        out_mode = "RGBA" if mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, out_mode)
        if bands == "CMYK":
            return transform
        levels = np.linspace(0, 255, 17).astype(np.uint8)
        grid = np.stack(np.meshgrid(levels, levels, levels), -1) if bands == "RGB" else levels[:, None]
        grid = grid.reshape(-1, 17, 3) if bands == "RGB" else grid
        probe = Image.fromarray(grid).convert(mode)
        changed = np.asarray((ImageCms.applyTransform(probe, transform) or probe).convert("RGB")).astype(int)
    except (ImageCms.PyCMSError, ValueError, TypeError, OSError, AttributeError):
        return None
    same = np.abs(changed - np.asarray(probe.convert("RGB"))).max() <= _SAME_LEVELS
    return None if same else transform


def unread_values(name: str, dtype: str) -> UnreadableMedia:
    """The error for a picture whose pixels are numbers of a type without a known white, `float32` say."""
    return UnreadableMedia(f"Cannot read {name}: its pixels are {dtype}, not 8 or 16 bits; save it with 8 bits.")


def _from_deep_grey(image: Image.Image, name: str) -> Image.Image:
    """A grey picture of 16 bits, which Pillow keeps in 32 where it must, as one of mode L."""
    from PIL import Image

    values = np.asarray(image)
    if values.dtype != np.uint16:
        if values.min() < 0 or values.max() >= 2**16:
            raise UnreadableMedia(
                f"Cannot read {name}: its pixels are {values.dtype} and go beyond 0 to 65535; save it with 8 bits."
            )
        values = values.astype(np.uint16)
    grey = Image.fromarray(eight_bits(values))
    grey.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    return grey

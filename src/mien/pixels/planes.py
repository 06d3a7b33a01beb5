"""A decoded frame of a video as it is meant to be seen: RGB by the right matrix, SDR, square pixels, upright."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame

# ITU-T H.273, the numbers that a video states: of colours (primaries), of the curve (transfer) and of the matrix.
_BT709, _BT601, _BT2020 = 1, 6, 9
_UNSPECIFIED = 2
_BT2020_CL = 10
_PQ, _HLG = 16, 18
_MATRICES = frozenset({_BT709, 4, 5, _BT601, 7, _BT2020})
_HD_HW = 720, 1280

_WHITE_NITS = 203.0  # ITU-R BT.2408: where the white of a page lies in HDR, 58 % of PQ and 75 % of HLG
_HLG_PEAK_NITS = 1000.0
_SDR_GAMMA = 2.4
# Linear light of BT.2020 to BT.709 (ITU-R BT.2087), rows R, G, B.
_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)
_LEAST_ASPECT, _MOST_ASPECT = Fraction(1, 4), Fraction(4)
_SAME_ASPECT = 0.01


class ToRgb:
    """Converts the frames of one video, each by what it states itself; for one thread at a time."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._kind: tuple[int, int, int] | None = None
        self._matrix = 1, 0, 0, 1

    def convert(self, frame: VideoFrame, aspect: Fraction | None = None) -> NDArray[np.uint8]:
        """The frame as (H, W, 3) uint8 RGB, upright.

        Args:
            frame: as decoded.
            aspect: width of a pixel by its height; square when None.
        """
        height, width = square_hw((frame.height, frame.width), aspect)
        matrix, stated = matrix_of(frame), frame.colorspace
        frame.colorspace = matrix  # PyAV 17 takes BT.2020 from the frame alone
        try:
            done = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format="rgb24",
                src_colorspace=matrix,
                threads=1,  # 0.7 ms of 1920 x 1080 with one thread; more would take cores from the networks
            )
        finally:
            frame.colorspace = stated
        plane = done.planes[0]
        rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        image_rgb = rows[:height, : 3 * width].reshape(height, width, 3)
        # PyAV keeps a frame whose side data was asked for until the garbage is collected, a hundred frames later; so
        # it is asked for once, and again when what is cheap to know has changed.
        kind = frame.height, frame.width, int(frame.rotation)
        if kind != self._kind:
            self._kind, self._matrix = kind, display_matrix(frame)
        return _upright(to_sdr(image_rgb, frame.color_trc, frame.color_primaries), self._matrix)


def matrix_of(frame: VideoFrame) -> int:
    """The matrix between Y'CbCr and R'G'B', by its number in H.273.

    A video that states none has BT.2020's with those primaries, BT.709's from 1280 x 720 on, else BT.601's, as players
    take it.
    """
    stated = int(frame.colorspace)
    if stated == _BT2020_CL:
        return _BT2020
    if stated in _MATRICES:
        return stated
    if frame.color_primaries == _BT2020:
        return _BT2020
    return _BT709 if frame.height >= _HD_HW[0] or frame.width >= _HD_HW[1] else _BT601


def square_hw(size_hw: tuple[int, int], aspect: Fraction | None) -> tuple[int, int]:
    """Height and width with square pixels: the side that is too short is enlarged, so that nothing is lost.

    An aspect within 1 % of square, or beyond 1:4, which is damage, changes nothing.
    """
    height, width = size_hw
    if not aspect or not _LEAST_ASPECT <= aspect <= _MOST_ASPECT or abs(aspect - 1) < _SAME_ASPECT:
        return height, width
    return (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """What turns the picture upright: x' = a x + c y, y' = b x + d y, as (a, b, c, d), each -1, 0 or 1.

    A matrix that turns by another angle than a quarter is taken for the nearest of the eight that do.
    """
    from av.sidedata.sidedata import Type

    try:
        # By its key: up to PyAV 18 a loop gives the values, from 19 on the keys.
        data: Any = cast("Any", frame.side_data).get(Type.DISPLAYMATRIX)
    except ValueError:  # up to PyAV 18: FFmpeg knows a kind of side data that PyAV does not, as EXIF in Motion JPEG
        angle = math.radians(-float(frame.rotation))  # which is all that is left to ask for; mirrors are lost
        return round(math.cos(angle)), round(math.sin(angle)), -round(math.sin(angle)), round(math.cos(angle))
    if data is None:
        return 1, 0, 0, 1
    a, b, _, c, d = (float(value) for value in np.frombuffer(data, np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return 0, -1 if b < 0 else 1, -1 if c < 0 else 1, 0
    return -1 if a < 0 else 1, 0, 0, -1 if d < 0 else 1


def to_sdr(image_rgb: NDArray[np.uint8], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """HDR (PQ, HLG) and wide colours (BT.2020) as SDR with the colours of BT.709; other pictures as they are.

    White is 203 cd/m² (ITU-R BT.2408); what is brighter, or a colour that BT.709 does not have, becomes the nearest
    that there is, channel by channel.

    Args:
        image_rgb: (H, W, 3) uint8 R'G'B'.
        transfer: the curve that the video states, by its number in H.273.
        primaries: its colours, likewise.
    """
    is_wide = primaries == _BT2020 or (primaries == _UNSPECIFIED and transfer in (_PQ, _HLG))
    if transfer not in (_PQ, _HLG) and not is_wide:
        return image_rgb
    light: Any = cv2.LUT(image_rgb, _light(transfer))
    if is_wide:
        light = cv2.transform(light, _TO_BT709)
    # In eighths of a byte of the square root, which is close to the curve wanted, a table of 8 bits loses nothing seen.
    root = cv2.sqrt(np.clip(light, 0, 1, out=light))
    return np.asarray(cv2.LUT(cv2.convertScaleAbs(root, alpha=255), _from_root()), np.uint8)


@cache
def _light(transfer: int) -> NDArray[np.float32]:
    """(256,) float32: linear light of each value, 1 for white."""
    value = np.arange(256) / 255
    if transfer == _PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = value ** (1 / m2)
        light = 10000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / _WHITE_NITS
    elif transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
        light = _HLG_PEAK_NITS * scene**1.2 / _WHITE_NITS  # what a display of that brightness shows, per channel
    else:
        light = value**_SDR_GAMMA
    return light.astype(np.float32)


@cache
def _from_root() -> NDArray[np.uint8]:
    """(256,) uint8: the SDR value of each square root of light."""
    return np.round(255 * (np.arange(256) / 255) ** (2 / _SDR_GAMMA)).astype(np.uint8)


def _upright(image_rgb: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    a, b, c, d = matrix
    if not a:
        image_rgb = cv2.transpose(image_rgb)  # type: ignore[assignment]
    flip_x, flip_y = (a or c) < 0, (d or b) < 0
    if flip_x or flip_y:
        image_rgb = cv2.flip(image_rgb, -1 if flip_x and flip_y else int(flip_x))  # type: ignore[assignment]
    return np.ascontiguousarray(image_rgb)

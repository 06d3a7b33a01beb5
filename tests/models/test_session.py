from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import ModelError
from mien.models.artifact import Artifact, Manifest, write_artifact, zoo_artifact
from mien.models.session import FakeSession, Session
from mien.pixels.preprocess import InputSpec

SPEC = InputSpec(size_hw=(3, 5), colour="grey")


def _artifact(folder: Path, model: bytes) -> Artifact:
    manifest = Manifest(
        name="tiny", task="hand_landmarks", labels=None, input=SPEC, threshold=0.5, licence="none", origin="a test"
    )
    return write_artifact(folder, model, manifest, "# tiny\n")


def _doubling_model(batch: int | str) -> bytes:
    """Two outputs, in this order: twice the input, and its sum over the picture."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "x"], ["twice"]),
            helper.make_node("Constant", [], ["axes"], value=onnx.numpy_helper.from_array(np.array([1, 2, 3]))),
            helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", kind, [batch, 1, 3, 5])],
        [
            helper.make_tensor_value_info("twice", kind, [batch, 1, 3, 5]),
            helper.make_tensor_value_info("total", kind, [batch]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("batch", [1, "N"])
@pytest.mark.parametrize("count", [0, 1, 2, 70])
def test_any_number_of_items_in_the_models_order(tmp_path: Path, batch: int | str, count: int) -> None:
    items = np.random.default_rng(0).random((count, 1, 3, 5), np.float32)
    with Session(_artifact(tmp_path / "tiny", _doubling_model(batch)), threads=1) as session:
        twice, total = session.run(items)
    assert twice.shape == items.shape
    assert total.shape == (count,)
    np.testing.assert_allclose(twice, 2 * items)
    np.testing.assert_allclose(total, items.sum((1, 2, 3)), rtol=1e-5)


def test_weights_in_memory_take_the_place_of_the_file(tmp_path: Path) -> None:
    items = np.ones((2, 1, 3, 5), np.float32)
    artifact = Artifact(tmp_path / "not written", _artifact(tmp_path / "tiny", b"no model").manifest)
    with Session(artifact, weights=_doubling_model("N"), threads=1) as session:
        np.testing.assert_array_equal(session.run(items)[0], 2 * items)
    with pytest.raises(ModelError, match="not written cannot be loaded"):
        Session(artifact, weights=b"no model")


def test_a_model_for_another_fixed_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fixed batch size of 3"):
        Session(_artifact(tmp_path / "tiny", _doubling_model(3)))


def test_weights_that_are_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        Session(_artifact(tmp_path / "tiny", b"\x00not a model"))
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 192, 192, 3)), np.zeros((1, 3, 192, 192), np.float32), np.zeros((192, 192, 3), np.float32)],
)
def test_a_wrong_batch_is_refused(batch: np.ndarray) -> None:
    with Session(zoo_artifact("palm_mediapipe_full"), threads=1) as session, pytest.raises(ModelError, match="float32"):
        session.run(batch)


def test_a_closed_session_says_so() -> None:
    session = Session(zoo_artifact("palm_mediapipe_full"), threads=1)
    session.close()
    session.close()
    with pytest.raises(ModelError, match="closed"):
        session.run(np.zeros((1, 192, 192, 3), np.float32))


def test_threads_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="threads"):
        Session(zoo_artifact("palm_mediapipe_full"), threads=0)


@pytest.mark.parametrize("name", ["face_centerface", "palm_mediapipe_full", "hand_landmark_full"])
def test_a_batch_gives_what_single_items_give(name: str) -> None:
    artifact = zoo_artifact(name)
    height, width = artifact.manifest.input.size_hw
    item_shape = (height, width, 3) if artifact.manifest.input.layout == "nhwc" else (3, height, width)
    batch = np.random.default_rng(1).random((3, *item_shape), np.float32)
    with Session(artifact, threads=1) as session:
        together = session.run(batch)
        alone = [session.run(item[None]) for item in batch]
    for i, output in enumerate(together):
        np.testing.assert_allclose(output, np.concatenate([one[i] for one in alone]), atol=1e-4)


def test_a_model_may_leave_height_and_width_free() -> None:
    with Session(zoo_artifact("face_centerface"), threads=1) as session:
        shapes = [session.run(np.zeros((2, 3, *size_hw), np.float32))[0].shape for size_hw in ((64, 96), (32, 32))]
        assert shapes == [(2, 15, 16, 24), (2, 15, 8, 8)]
        assert session.run(np.zeros((0, 3, 64, 64), np.float32))[0].shape == (0, 15, 0, 0)
        with pytest.raises(ModelError, match=r"items \(3, any, any\), got float32 \(1, 4, 64, 64\)"):
            session.run(np.zeros((1, 4, 64, 64), np.float32))
        with pytest.raises(ModelError, match=r"\(3, any, any\)"):
            session.run(np.zeros((3, 64, 64), np.float32))


def test_the_fake_remembers_and_closes() -> None:
    fake = FakeSession(zoo_artifact("palm_mediapipe_full"), lambda batch: (batch * 2,))
    (answer,) = fake.run(np.ones((2, 3), np.float32))
    assert answer.sum() == 12
    assert len(fake.batches) == 1
    fake.close()
    assert fake.closed
    with pytest.raises(ModelError, match="closed"):
        fake.run(np.ones((2, 3), np.float32))


def test_threads_do_not_spin_while_they_wait() -> None:
    """Spinning pools of several networks steal time from one another."""
    with Session(zoo_artifact("gesture_landmark"), threads=2) as session:
        options = session._session.get_session_options()
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
        assert options.intra_op_num_threads == 2

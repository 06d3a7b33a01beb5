"""What benchmarks/peer_fer.py runs in the environment of the package `fer`: it knows nothing of mien.

    python peer_fer_inside.py FACES.npy PROBABILITIES.npy default|keras

Writes fer's probabilities for (N, 48, 48) uint8 grey faces, prints one line of facts, and then for each line on stdin,
a number of faces, the milliseconds a face that its network takes for so many at once.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
warnings.simplefilter("ignore")
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # whatever TensorFlow prints is not an answer

import fer  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from fer.fer import FER  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

FILES = {"default": "emotion_model_quantized.tflite", "keras": "emotion_model.hdf5"}
BATCH = 32


class Prepared(FER):
    """fer up to the point where it asks its network: keeps what it would have asked."""

    def _classify_emotions(self, gray_faces):
        self.asked = gray_faces
        return np.zeros((len(gray_faces), 7), np.float32)


def main() -> None:
    faces, kind = np.load(sys.argv[1]), sys.argv[3]
    use_tflite = kind == "default"
    # The picture is the face: no detector, and no frame of 10 pixels around a face found in a larger picture.
    reader = Prepared(use_tflite=use_tflite, offsets=(0, 0))
    batches = []
    for face in faces:
        reader.detect_emotions(np.repeat(face[..., None], 3, axis=2), face_rectangles=[(0, 0, *face.shape[::-1])])
        batches.append(reader.asked)
    inputs = np.concatenate(batches)
    network = FER(use_tflite=use_tflite)
    parts = [np.asarray(network._classify_emotions(inputs[i : i + BATCH])) for i in range(0, len(inputs), BATCH)]
    np.save(sys.argv[2], np.concatenate(parts))
    folder = Path(fer.__file__).parent / "data"
    trained = tf.keras.models.load_model(folder / FILES["keras"], compile=False)
    facts = {
        "version": metadata.version("fer"),
        "licence": fer.__license__,
        "parameters": trained.count_params(),
        "bytes": (folder / FILES[kind]).stat().st_size,
        "labels": [FER._get_labels()[i] for i in range(7)],
        "tensorflow": tf.__version__,
    }
    answers.write(json.dumps(facts) + "\n")
    for line in sys.stdin:
        batch = inputs[np.arange(int(line)) % len(inputs)]
        started = time.process_time()
        np.asarray(network._classify_emotions(batch))
        answers.write(f"{(time.process_time() - started) * 1000 / len(batch)}\n")


if __name__ == "__main__":
    main()

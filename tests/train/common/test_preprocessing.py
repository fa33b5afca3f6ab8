"""What raw values become."""

import numpy as np

from train.common.preprocessing import Preprocessing, preprocess
from train.common.tensors import TensorSpec


def test_raw_values_are_scaled_and_then_moved_by_channel_or_alike() -> None:
    raw = np.array([[[10, 20], [30, 255]]], np.uint8)
    one = Preprocessing(scale=0.5, offset=-1.0).apply(raw)
    assert one.dtype == np.float32
    assert one.tolist() == [[[4, 9], [14, 126.5]]]
    each = Preprocessing(scale=(0.5, 2.0), offset=(-1.0, 3.0)).apply(raw)
    assert each.tolist() == [[[4, 43], [14, 513]]]


def test_an_input_without_preprocessing_is_only_of_its_dtype() -> None:
    raw: dict[str, np.ndarray] = {
        "image": np.array([[2, 4]], np.uint8),
        "tokens": np.array([[7, 8]], np.int64),
    }
    specs = [
        TensorSpec(name="image", shape=(None, 2), dtype="float32"),
        TensorSpec(name="tokens", shape=(None, 2), dtype="int32"),
    ]
    found = preprocess(raw, {"image": Preprocessing(scale=0.5, offset=1.0)}, specs)
    assert found["image"].tolist() == [[2, 3]]
    assert found["tokens"].dtype == np.int32
    assert found["tokens"].tolist() == [[7, 8]]

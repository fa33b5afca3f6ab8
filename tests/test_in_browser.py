"""The table of browsers in `make bench`."""

from typing import Any

from tests.in_browser import EMPTY, table


def row(name: str, runtime: str, p50: list[float], gzip_bytes: int) -> dict[str, Any]:
    latency = {"p50": p50[0], "rounds_p50": p50}
    return {"format": name, "runtime": runtime, "latency_us": latency, "gzip_bytes": gzip_bytes}


def test_ratios_are_of_rounds_and_of_what_is_beyond_an_empty_page() -> None:
    rows = [
        row("onnx-int8", "onnxruntime-web", [40.0, 40.0, 80.0], 246_000),
        row("wasm", "wasm", [10.0, 10.0, 20.0], 250_000),
    ]
    first = {EMPTY: 50.0, "onnx-int8": 450.0, "wasm": 70.0}
    head, theirs, ours, empty = table(rows, {"onnxruntime-web": 3_754_000, "wasm": 0}, first)
    figures = ["4,000", "40.0", "0.25", "450", "0.05"]
    assert theirs.split() == ["onnx-int8", "onnxruntime-web", *figures]
    assert ours.split() == ["wasm", "wasm", "250", "10.0", "1.00", "70", "1.00"]
    assert empty.split() == ["an", "empty", "page", "50"]
    assert len({len(line) for line in (head, theirs, ours, empty)}) == 1

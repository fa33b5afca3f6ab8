"""The smallest tensor arena, found in TFLM's interpreter."""

from pathlib import Path

import numpy as np
import pytest

from export.deploy.microcontroller import arena_worker
from export.deploy.microcontroller.arena import ALIGNMENT_BYTES, check_interpreter, measure_arena
from export.manifest import Manifest
from tests.export.conftest import Tiny
from tests.export.deploy.microcontroller.conftest import stored_inputs
from train.common.errors import ArtifactError, MissingPackageError, ToolkitError


def test_the_arena_is_the_smallest_that_gives_the_same_outputs(
    converted: tuple[Path, Manifest], tiny: Tiny, tmp_path: Path
) -> None:
    path, manifest = converted
    inputs = stored_inputs(manifest, tiny)
    found = measure_arena(path, inputs, tmp_path)
    assert found.size_bytes % ALIGNMENT_BYTES == 0
    assert found.images == 4
    assert inputs[0].nbytes < found.recorded_bytes <= found.size_bytes
    limited = measure_arena(path, inputs, tmp_path, limit_bytes=found.size_bytes)
    assert limited.size_bytes == found.size_bytes
    one_step_less = found.size_bytes - ALIGNMENT_BYTES
    with pytest.raises(ArtifactError, match=f"no tensor arena up to {one_step_less:,} bytes"):
        measure_arena(path, inputs, tmp_path, limit_bytes=one_step_less)
    model = path.read_bytes()
    small, large = (outputs(model, inputs, size) for size in (found.size_bytes, 1 << 20))
    assert np.array_equal(small, large)
    assert len(np.unique(small, axis=0)) > 1


def test_an_arena_with_other_outputs_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(model: bytes, inputs: np.ndarray, size: int, **_: bool) -> bytes | None:
        return b"right" if size >= 640 else b"wrong" if size >= 320 else None

    monkeypatch.setattr(arena_worker, "attempt", attempt)
    assert arena_worker.main(b"", np.zeros(1), step_bytes=16, limit_bytes=4096) == 640


def test_an_attempt_that_does_not_end_is_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def endless(*_: object, **__: object) -> bytes:
        while True:
            pass

    monkeypatch.setattr(arena_worker, "outputs_hash", endless)
    monkeypatch.setattr(arena_worker, "ATTEMPT_S", 1)
    assert arena_worker.attempt(b"", np.zeros(1), 64) is None
    assert capfd.readouterr().err == "1 inferences take more than 1 s\n"


def outputs(model: bytes, inputs: np.ndarray, arena_bytes: int) -> np.ndarray:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    found = []
    for value in inputs:
        interpreter.set_input(value, 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0))
    return np.concatenate(found)


@pytest.mark.parametrize("limit_bytes", [64, 1024])
def test_an_arena_that_no_size_satisfies_is_an_error(
    limit_bytes: int, converted: tuple[Path, Manifest], tiny: Tiny, tmp_path: Path
) -> None:
    """In 64 bytes TFLM crashes, in 1024 it refuses."""
    path, manifest = converted
    with pytest.raises(ArtifactError, match=r"^tflm: no tensor arena up to [\d,]+ bytes") as caught:
        measure_arena(path, stored_inputs(manifest, tiny), tmp_path, limit_bytes)
    assert "Failed to allocate" in str(caught.value)


def test_without_the_interpreter_the_error_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"'tflite_micro' is not .*requirements-host"):
        check_interpreter()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(ToolkitError, match="on aarch64, expected Linux on x86-64"):
        check_interpreter()

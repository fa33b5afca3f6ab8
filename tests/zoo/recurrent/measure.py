"""What each format makes of a recurrent network: exactness on fresh data, size, time."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.formats.table import FORMATS, Format
from export.runtimes.open import open_runner
from export.runtimes.predict import encode_all, predict
from tests.commands import run_in_process
from tests.zoo.bare.timing import feeds, p50_us
from tests.zoo.recurrent.by_hand import KINDS as WRITTEN
from tests.zoo.recurrent.by_hand import by_hand
from tests.zoo.recurrent.cases import data_of, model_of
from tests.zoo.recurrent.limits import Case, Measured, most_times
from tests.zoo.run import Ran, cells

CALIBRATION, FRESH = 300, 300


@dataclass(frozen=True, kw_only=True)
class _Side:
    """A file that is timed, and its runtime."""

    runtime: str
    path: Path


def measure(kind: str, steps: int, folder: Path, formats: Sequence[Format]) -> Case:
    """Returns what came of each format of a network.

    Times are those of one example, over those of the family's float32 file; of `onnx-float32`, over
    those of a file written by hand, where there is one. The search for a mixed file is no
    conversion, and its time is left out.
    """
    model = model_of(kind, steps)
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", **data_of(kind, steps, CALIBRATION, seed=1))  # type: ignore[arg-type]
    code, output, seconds = 0, "", 0.0
    for mixed in (False, True):
        names = [entry.name for entry in formats if entry.mixed == mixed]
        if not names:
            continue
        started = _processor_seconds()
        done = run_in_process(
            *("export", "--model", folder / "model.keras", "--artifacts", folder / "exports"),
            *("--custom-objects", "tests.zoo.recurrent.cases"),
            *("--calibration", folder / "data.npz"),
            *("--format", ",".join(names)),
        )
        seconds += 0 if mixed else _processor_seconds() - started
        code, output = max(code, done.code), output + done.err
    said = Ran(code=code, output=output, seconds=0, peak_bytes=0)
    fresh = data_of(kind, steps, FRESH, seed=2)
    expected = _expected(model, fresh)
    sides: dict[str, _Side] = {}
    found: dict[str, Measured] = {}
    for name, cell in cells(said, folder / "exports", formats).items():
        entry = FORMATS[name]
        path = folder / "exports" / f"{name}{entry.suffix}"
        if cell.reason or not path.exists():
            found[name] = Measured(reason=cell.reason or output.strip().splitlines()[-1])
            continue
        sides[name] = _Side(runtime=entry.runtime, path=path)
        with open_runner(entry.runtime, path, threads=1) as runner:
            outputs = predict(runner, fresh)
        found[name] = Measured(
            decibels=min(_snr_db(outputs[each], expected[each]) for each in expected),
            size_bytes=path.stat().st_size,
            weights=model.count_params(),
        )
    if kind in WRITTEN and "onnx-float32" in sides:
        hand = folder / "by_hand.onnx"
        hand.write_bytes(by_hand(model, kind))
        sides["by hand"] = _Side(runtime="onnxruntime", path=hand)
    cells_found = {name: _timed(name, cell, sides, fresh) for name, cell in found.items()}
    return Case(cells=cells_found, seconds=seconds)


def _processor_seconds() -> float:
    """Returns what this process and its children took so far: a busy machine does not count."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


def _timed(
    name: str, cell: Measured, sides: Mapping[str, _Side], fresh: Mapping[str, np.ndarray]
) -> Measured:
    plain = f"{FORMATS[name].family}-float32"
    other = "by hand" if name == "onnx-float32" else plain
    if cell.reason or other not in sides or other == name:
        return cell
    with ExitStack() as stack:
        runners = [
            stack.enter_context(open_runner(side.runtime, side.path, threads=1))
            for side in (sides[name], sides[other])
        ]
        inputs = [feeds(encode_all(fresh, runner.inputs)) for runner in runners]
        own, base = p50_us(runners, inputs, worst=most_times(name) or 1.0)
    return Measured(**{**vars(cell), "times": own / base, "p50_us": own})


def _expected(model: object, fresh: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    given = [fresh[tensor.name] for tensor in model.inputs]  # type: ignore[attr-defined]
    outputs = model.predict(given if len(given) > 1 else given[0], verbose=0)  # type: ignore[attr-defined]
    names = model.output_names  # type: ignore[attr-defined]
    return dict(zip(names, outputs if len(names) > 1 else [outputs], strict=True))


def _snr_db(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the centred SNR: what varies from example to example, over the noise."""
    exact = expected.astype(np.float64)
    noise = float(np.sum((found - exact) ** 2))
    signal = float(np.sum((exact - exact.mean(axis=0)) ** 2))
    return 10 * float(np.log10(max(signal, 1e-300) / max(noise, 1e-300)))

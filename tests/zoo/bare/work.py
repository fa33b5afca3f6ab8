"""`python -m tests.zoo.bare.work NAME FOLDER FORMAT …`: exports beside the bare converters' files.

Prints a JSON line before each format, and one after it.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from export.formats.table import FORMATS, Format
from export.manifest import Check
from export.model.load import load_model
from export.model.loaded import LoadedModel, batch_size
from export.runtimes.open import open_runner
from export.runtimes.predict import encode_all, predict
from export.verify.expectation import Expectation
from export.verify.floors import depth_noise
from export.verify.graph.read import read_graph
from export.verify.outputs import check_channels, check_distance
from tests.zoo.bare.files import CHANNELS, FLOATS, STRICT, Bare
from tests.zoo.bare.judge import LESS_DB, TIMES, Comparison, File, behind, gap_db, verdict
from tests.zoo.bare.matching import matched_outputs, pairs
from tests.zoo.bare.timing import feeds, p50_us
from tests.zoo.models.entries import ENTRIES
from tests.zoo.models.making import DATA, FRESH, request
from train.common.command.native_output import captured_native_output

# What formats promise that the bare converter does not by default, and its file that keeps it; that
# of scales per channel only where it is more exact.
PROMISES: dict[str, tuple[tuple[str, str], ...]] = {
    "tflite-int8": (("integers only", f"tflite-int8{STRICT}"),),
    "onnx-float16": (("float32 in and out", f"onnx-float16{FLOATS}"),),
    "onnx-dynamic": (("weights of 8 bits", f"onnx-dynamic{STRICT}"),),
    "onnx-int8": (
        ("weights of 8 bits", f"onnx-int8{STRICT}"),
        ("more exact by scales per channel", f"onnx-int8{CHANNELS}"),
    ),
}
LINE = 200  # characters of a reason


def main(arguments: Sequence[str]) -> int:
    """Compares; returns 0."""
    name, place, *formats = arguments
    folder = Path(place)
    entry = ENTRIES[name]
    path = json.loads((folder / "facts.json").read_text())["path"]
    model = load_model(request(entry, path))
    bare = Bare(model, path, dict(np.load(folder / DATA)), folder)
    work = Work(bare, expectation(model, dict(np.load(folder / FRESH))), folder / "exports")
    for form in formats:
        _say({"format": form})
        _say({"format": form, "found": asdict(work.compare(FORMATS[form]))})
    return 0


def expectation(model: LoadedModel, inputs: Mapping[str, np.ndarray]) -> Expectation:
    """Returns what files are compared with: the model's outputs on fresh examples."""
    outputs = model.predict(inputs, batch_size=batch_size(model.inputs))
    return Expectation(
        input_specs=model.inputs,
        output_specs=model.outputs,
        weights=model.parameters,
        inputs=inputs,
        labels={},
        outputs=outputs,
    )


@dataclass(frozen=True)
class Work:
    """Two files of a format at a time.

    Attributes:
        bare: makes the bare files.
        expected: what both are compared with.
        exports: the folder of the exports.
    """

    bare: Bare
    expected: Expectation
    exports: Path

    def compare(self, entry: Format) -> Comparison:
        """Returns how an export and its bare counterpart do."""
        path = self.exports / f"{entry.name}{entry.suffix}"
        ours = path if path.is_file() else None
        mine, found, reason = self._pair(entry, ours, entry.name)
        comparison = Comparison(ours=mine, bare=found, reason=reason)
        if found is None or not behind(mine, found):
            return comparison
        for promise, maker in PROMISES.get(entry.name, ()):
            if maker.endswith(CHANNELS) and (mine is None or gap_db(mine, found) < LESS_DB / 2):
                continue
            again, strict, why = self._pair(entry, ours, maker)
            if strict is not None and again is not None and mine is not None and strict.p50_us:
                # times of one turn-taking compare with each other only
                ratio = (mine.p50_us or 0) / (again.p50_us or 1)
                strict = replace(strict, p50_us=strict.p50_us * ratio)
            comparison = replace(comparison, promise=promise, strict=strict, strict_reason=why)
            if not verdict(comparison)[0]:
                break
        return comparison

    def _pair(
        self, entry: Format, ours: Path | None, maker: str
    ) -> tuple[File | None, File | None, str]:
        """Returns the export, the bare file, and why there is none."""
        path = self.bare.folder / f"bare-{maker.replace(' ', '-')}{entry.suffix}"
        try:
            with captured_native_output():
                path.write_bytes(self.bare.make(maker))
            found = self._file(entry, path)
        except Exception as error:  # noqa: BLE001 - a converter raises what it likes
            said = str(error).strip().splitlines() or [type(error).__name__]
            mine = None if ours is None else self._file(entry, ours)
            return mine, None, said[-1][:LINE]
        if ours is None:
            return None, found, ""
        mine = self._file(entry, ours)
        first, second = self._p50_us(entry, ours, path)
        return replace(mine, p50_us=first), replace(found, p50_us=second), ""

    def _file(self, entry: Format, path: Path) -> File:
        with open_runner(entry.runtime, path, threads=1) as runner:
            outputs = predict(runner, self._inputs(runner.inputs))
        outputs = matched_outputs(outputs, self.expected.outputs)
        noise = depth_noise(read_graph(path).depth)
        failed = tuple(self._failed(entry, outputs, noise))
        decibels = {}
        for name, each in self.expected.distances(outputs).items():
            if not self.expected.is_exact(name):
                decibels[name] = each.centred_snr_db
        return File(decibels=decibels, size_bytes=path.stat().st_size, failed=failed)

    def _failed(
        self, entry: Format, outputs: Mapping[str, np.ndarray], noise: float
    ) -> Iterator[str]:
        """Yields the checks of an export that these outputs do not pass."""
        for name, each in self.expected.distances(outputs).items():
            checks = check_distance(name, each, entry, self.expected, noise)
            if not self.expected.is_exact(name):
                checks.append(check_channels(name, outputs[name], self.expected))
            yield from (c.reason for c in checks if isinstance(c, Check) and not c.passed)

    def _inputs(self, given: Sequence[Any]) -> dict[str, np.ndarray]:
        """Returns fresh examples by a file's own names of its inputs."""
        wanted = {spec.name: spec.shape for spec in self.expected.input_specs}
        found = pairs({spec.name: spec.shape for spec in given}, wanted)
        return {own: self.expected.inputs[name] for name, own in found.items()}

    def _p50_us(self, entry: Format, ours: Path, other: Path) -> tuple[float, float]:
        with (
            open_runner(entry.runtime, ours, threads=1) as first,
            open_runner(entry.runtime, other, threads=1) as second,
        ):
            runners = first, second
            inputs = [feeds(encode_all(self._inputs(each.inputs), each.inputs)) for each in runners]
            return p50_us(runners, inputs, TIMES)


def _say(content: object) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A stranger's `.tflite` file → C source or what an NPU takes, proven against itself on LiteRT.

The file on LiteRT's own kernels stands for the truth; it is compared with the Keras model that it
was made of where `--model` names one. What it loses on test data, `python -m benchmark --add` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from export.data.open import open_samples
from export.data.split import RANDOM_EXAMPLES
from export.data.wanted import Wanted
from export.deploy.c import package as c
from export.deploy.c.steps.weights.packing import SIZE
from export.deploy.ethos_u import package as ethos_u
from export.deploy.foreign.against import check_against
from export.deploy.foreign.interface import ForeignFile, read_foreign
from export.deploy.microcontroller import package as tflm
from export.deploy.microcontroller.arena import check_interpreter
from export.formats.packages import ETHOS_U, NPU, TFLM, C
from export.manifest import Check, Manifest, Observation, Source
from export.model.request import ModelRequest
from export.runtimes.litert import LiteRTRunner
from export.runtimes.predict import decode, encode_all, range_of
from export.runtimes.runner import pack, unpack
from export.runtimes.tflm import TFLMRunner
from train.common.errors import ArtifactError
from train.common.preprocessing import (
    InputPreprocessing,
    Preprocessing,
    check_names,
    preprocess,
)
from train.common.record import ModelRecord
from train.common.tensors import TensorSpec

FOLDER = "from-tflite"  # in it a folder of the file's name
KINDS = (C, TFLM, ETHOS_U)
# TFLM's kernels round otherwise than LiteRT's, which a deep network adds up.
MOST_DIFFERENCE = 0.5  # of what an output's type can hold
PROVEN = 100  # examples


@dataclass(frozen=True, kw_only=True)
class ForeignRequest:
    """What is to be made of a file.

    Attributes:
        path: the file.
        artifacts: folder in which a folder for it is made.
        optimize: what C packs weights for; None for its default.
        npu: the configuration of the NPU.
        calibration: examples to prove on, as `open_samples` takes them; None for random ones.
        image_size: height and width that pictures are brought to; None for the file's own.
        preprocess: what raw values become, by input, under the empty name for each not named.
        model: the Keras model that it was made of; None where there is none.
    """

    path: Path
    artifacts: Path
    optimize: str | None = None
    npu: str = NPU
    calibration: str | None = None
    image_size: tuple[int, int] | None = None
    preprocess: Mapping[str, Preprocessing] = field(default_factory=dict)
    model: ModelRequest | None = None

    @property
    def folder(self) -> Path:
        """Where packages of the file are written."""
        return self.artifacts / FOLDER / self.path.stem


def make_foreign(request: ForeignRequest, kind: str, work: Path, now: datetime) -> str:
    """Makes a package of a file; returns what was made, as text for the terminal.

    Args:
        request: what is to be made.
        kind: of `KINDS`.
        work: a temporary folder.
        now: the time to record.

    Raises:
        ArtifactError: it is no `.tflite` file, needs what LiteRT lacks, is of another model, or
            cannot be packaged.
        DataError: the examples cannot be had.
        ToolkitError: a tool is missing.
    """
    file = read_foreign(request.path, ("tflite",))
    how = _preprocessing(request.preprocess, file.inputs)
    manifest, record = _manifest(file, how, folder := request.folder), _record(file, how, folder)
    examples = {} if kind == ETHOS_U and not request.model else _examples(request, file, how, work)
    if request.model:
        findings = check_against(file, request.model, examples)
        checks = [each for each in findings if isinstance(each, Check)]
        seen = [each for each in findings if isinstance(each, Observation)]
        manifest = replace(
            manifest,
            checks=(*manifest.checks, *checks),
            observations=(*manifest.observations, *seen),
        )
    if kind == ETHOS_U:
        return ethos_u.make_package(file.path, manifest, folder, now, request.npu)
    if kind == C:
        from export.deploy.c.proof import provable  # of LiteRT's schema

        aim = request.optimize or SIZE
        return c.make_package(file.path, manifest, examples, record, now, aim, provable=provable)
    check_interpreter()
    manifest = replace(manifest, checks=(*manifest.checks, _compare_tflm(file, examples)))
    return tflm.make_package(file.path, manifest, examples, record, now)


def _preprocessing(
    asked: Mapping[str, Preprocessing], inputs: tuple[TensorSpec, ...]
) -> InputPreprocessing:
    names = [spec.name for spec in inputs]
    check_names(asked, names)
    chosen = {name: asked.get(name, asked.get("")) for name in names}
    return {name: how for name, how in chosen.items() if how is not None}


def _manifest(file: ForeignFile, how: InputPreprocessing, folder: Path) -> Manifest:
    loaded = Check(name="loads", value="LiteRT", limit="LiteRT", passed=True)
    return Manifest(
        path=folder / f"{file.path.stem}.json",
        format=file.path.stem,
        runtime=file.runtime,
        file=file.path.name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        gzip_bytes=file.gzip_bytes,
        source=Source(file=file.path.name, sha256=file.sha256, accuracy=None),
        options={"from_tflite": file.path.name},
        inputs=file.inputs,
        outputs=file.outputs,
        preprocessing=how,
        labels=(),
        calibration=None,
        checks=(loaded,),
        versions={},
        created="",
    )


def _record(file: ForeignFile, how: InputPreprocessing, folder: Path) -> ModelRecord:
    """Returns what stands where a Keras model's record does: the file itself is the source."""
    return ModelRecord(
        folder=folder,
        file=file.path.name,
        sha256=file.sha256,
        test_accuracy=None,
        labels=(),
        preprocessing=how,
        inputs=file.inputs,
        outputs=file.outputs,
    )


def _examples(
    request: ForeignRequest, file: ForeignFile, how: InputPreprocessing, work: Path
) -> dict[str, np.ndarray]:
    """Returns inputs, (N, …) real values by name: of the examples given, else random ones."""
    if request.calibration is None:
        random = np.random.RandomState(0)
        return {spec.name: _random(random, spec) for spec in file.inputs}
    real = tuple(_as_real(spec) for spec in file.inputs)
    wanted = Wanted(
        inputs=real,
        outputs=tuple(map(_as_real, file.outputs)),
        option="--calibration",
        image_size=request.image_size,
    )
    samples = open_samples(request.calibration, wanted, work)
    places = np.linspace(0, len(samples) - 1, min(len(samples), PROVEN)).astype(int)
    return preprocess(samples.take(np.unique(places)).inputs, how, real)


def _as_real(spec: TensorSpec) -> TensorSpec:
    """Returns a tensor as a caller sees it: real values where it is quantized, any batch."""
    dtype = "float32" if spec.scale is not None else spec.dtype
    return TensorSpec(name=spec.name, shape=(None, *spec.shape[1:]), dtype=dtype)


def _random(random: np.random.RandomState, spec: TensorSpec) -> np.ndarray:
    shape = (RANDOM_EXAMPLES, *(size or 1 for size in spec.shape[1:]))
    if spec.scale is not None or spec.is_float:
        low, high = range_of(spec) if spec.scale is not None else (0.0, 1.0)
        return random.uniform(low, high, shape).astype(np.float32)
    return random.randint(0, 2, shape).astype(spec.dtype)


def _compare_tflm(file: ForeignFile, examples: Mapping[str, np.ndarray]) -> Check:
    """Returns the check that TFLM gives what LiteRT's kernels give, but for roundings."""
    worst = 0.0
    with LiteRTRunner(file.path, threads=1) as ours, TFLMRunner(file.path, like=ours) as theirs:
        for given in zip(*unpack(encode_all(examples, ours.inputs)), strict=True):
            results = [unpack(runner.invoke(pack(given))) for runner in (ours, theirs)]
            for spec, mine, their in zip(file.outputs, *results, strict=True):
                span = 1.0
                if spec.scale is not None:
                    low, high = range_of(spec)
                    span = high - low
                difference = np.abs(decode(mine, spec) - decode(their, spec)).max()
                worst = max(worst, float(difference) / span)
    found = Check.at_most("tflm_max_difference", worst, MOST_DIFFERENCE)
    if not found.passed:
        raise ArtifactError(
            f"tflm: {file.path.name} differs from LiteRT's outputs by {worst:.0%} of their range, "
            f"expected at most {MOST_DIFFERENCE:.0%}; use --format c, which gives the same bytes"
        )
    return found

"""A verified integer file → C source, proven byte by byte on this machine → `artifacts/c/`."""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from export.convert.job.inputs import ConversionInputs
from export.convert.job.up_to_date import CODE, code_hash, matches, versions
from export.deploy.c.emit import emit
from export.deploy.c.header import Interface
from export.deploy.c.host import STRICT, build, compiler
from export.deploy.c.network import NoKernelError
from export.deploy.c.program import Program
from export.deploy.c.steps.weights.packing import SIZE
from export.formats.packages import WASM, C
from export.formats.settings import Settings
from export.formats.table import FORMATS
from export.manifest import Check, Manifest, Observation, check_file, read_manifest
from export.runtimes.c import CRunner
from export.runtimes.litert import LiteRTRunner
from export.runtimes.predict import encode_all
from export.runtimes.runner import Runner, pack, unpack
from export.verify.graph.tflite import DAMAGED
from train.common.errors import ArtifactError, MissingOperatorError
from train.common.files.artifact import file_sha256, package_versions, write_json
from train.common.files.staging import publish, staging
from train.common.record import ModelRecord

FOLDER = C  # of its own, as that of the other C source
SOURCE_FILE, HEADER_FILE, MANIFEST_FILE = "model.c", "model.h", "c.json"
FROM = "from"  # the option that says which format's file it is made of
OPTIMIZE = "optimize"  # and this one, what weights are packed for
Provable = Callable[[bytes, Mapping[int, np.ndarray]], bytes]
Emitter = Callable[[Program, Interface], tuple[str, str]]
FLASH = "constants_bytes"
HEADER_HASH = "header_sha256"
WAYS_OUT = {C: "use --format tflm", WASM: "use a format that browsers run (--list)"}


def is_current(made_of: str, optimize: str, settings: Settings, inputs: ConversionInputs) -> bool:
    """Returns whether making the C source again would change nothing."""
    try:
        manifest = read_manifest(inputs.record.folder / FOLDER / MANIFEST_FILE)
        check_file(manifest)
        header = file_sha256(manifest.path.with_name(HEADER_FILE))
    except (ArtifactError, OSError):
        return False
    seen = {each.name: each.value for each in manifest.observations}
    options = {**inputs.options(settings), FROM: made_of, OPTIMIZE: optimize}
    return seen.get(HEADER_HASH) == header and matches(
        manifest, options, _versions(made_of), inputs
    )


def make_package(
    model: Path,
    manifest: Manifest,
    held_out: Mapping[str, np.ndarray],
    record: ModelRecord,
    now: datetime,
    optimize: str = SIZE,
    *,
    provable: Provable,
) -> str:
    """Writes a verified file as C, if its outputs are the same bytes on all held-out examples.

    Args:
        model: the `.tflite` file, which may be staged.
        manifest: what was recorded of it when it was verified.
        held_out: (N, …) by the input's name, preprocessed: examples that calibrated nothing.
        record: the Keras model.
        now: the time to record.
        optimize: `size` or `speed`, what weights are packed for.
        provable: `proof.provable`, which takes LiteRT's schema: a device that makes C again has
            not got it.

    Returns:
        What was made, as text for the terminal.

    Raises:
        ArtifactError: the file is not the one of the manifest, an operator or a type has no kernel,
            the compiler fails, or a byte differs.
        ToolkitError: there is no C compiler.
    """
    if file_sha256(model) != manifest.sha256:
        raise ArtifactError(f"{model} is not the file that {manifest.path.name} describes")
    compiler()
    program, *texts = source_of(model, manifest, optimize)
    with staging(record.folder) as staged:
        files = [staged / SOURCE_FILE, staged / HEADER_FILE]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, encoding="ascii")
        library = build(staged, staged / "host", manifest.inputs, manifest.outputs, STRICT)
        proof = proof_file(model, program, staged, provable)
        compared = compare(proof, CRunner(library, threads=1), held_out)
        content = files[0].read_bytes()
        plan = program.plan
        constants = b"".join(array.values.tobytes() for array in program.constants)
        made = replace(
            manifest,
            path=record.folder / FOLDER / MANIFEST_FILE,
            format=C,
            runtime=C,
            file=SOURCE_FILE,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            gzip_bytes=len(gzip.compress(constants, mtime=0)),
            options={**manifest.options, FROM: manifest.format, OPTIMIZE: optimize},
            checks=(*manifest.checks, compared),
            observations=(
                *manifest.observations,
                Observation(name=FLASH, value=len(constants)),
                Observation(name="arena_bytes", value=plan.arena_bytes),
                Observation(name="live_bytes", value=plan.live_bytes),
                Observation(name=HEADER_HASH, value=file_sha256(files[1])),
                Observation(name="model_sha256", value=manifest.sha256),
            ),
            versions=_versions(manifest.format),
            created=now.isoformat(timespec="seconds"),
            parts=None,
        )
        write_json(staged / MANIFEST_FILE, made.as_json())
        (record.folder / FOLDER).mkdir(exist_ok=True)
        publish([*files, staged / MANIFEST_FILE], record.folder / FOLDER)
    count = len(next(iter(held_out.values())))
    return (
        f"{C:<28} {len(constants) / 1000:>8,.1f} kB  of constants, in {FOLDER}/{SOURCE_FILE}, "
        f"{plan.arena_bytes:,} bytes of RAM, from {manifest.format}: the same bytes as LiteRT's "
        f"reference kernels on all {count:,} held-out examples"
    )


def source_of(
    model: Path,
    manifest: Manifest,
    optimize: str = SIZE,
    emitter: Emitter | None = None,
    name: str = C,
) -> tuple[Program, str, str]:
    """Returns the program of a file, its source and its header.

    Args:
        model: the `.tflite` file.
        manifest: what is recorded of it.
        optimize: `size` or `speed`, what weights are packed for; `plain`, not packed.
        emitter: what writes it; None for `emit`.
        name: of the kind of program, for messages.

    Raises:
        ArtifactError: the file is damaged, or an operator or a type has no kernel.
    """
    try:
        program = Program(model, optimize)
        header, source = (emitter or emit)(program, interface_of(manifest))
    except (*DAMAGED, MemoryError) as error:
        raise ArtifactError(f"{name}: {model} is damaged: {error}; export it again") from error
    except NoKernelError as error:
        raise ArtifactError(f"{name}: {error}; {WAYS_OUT[name]}, or replace the layer") from error
    except ArtifactError as error:
        raise ArtifactError(f"{name}: {error}") from error
    return program, source, header


def interface_of(manifest: Manifest) -> Interface:
    """Returns what the callers of a file's program are told."""
    return Interface(
        file=manifest.file,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        preprocessing=manifest.preprocessing,
        labels=manifest.labels,
    )


def proof_file(model: Path, program: Program, folder: Path, provable: Provable) -> Path:
    """Returns the file that LiteRT's reference kernels run, made in a folder where they lack some.

    Args:
        model: the `.tflite` file.
        program: made of it.
        folder: a temporary one.
        provable: `proof.provable`.
    """
    unproven = program.network.unproven
    if not unproven:
        return model
    proof = folder / "proof.tflite"
    proof.write_bytes(provable(model.read_bytes(), unproven))
    return proof


def compare(model: Path, ours: Runner, examples: Mapping[str, np.ndarray], name: str = C) -> Check:
    """Returns the check that a compiled program gives the bytes of LiteRT's reference kernels.

    Args:
        model: the `.tflite` file.
        ours: the program, not entered yet.
        examples: (N, …) by the input's name, preprocessed.
        name: of the kind of program, for messages.

    Raises:
        ArtifactError: a byte differs; how many, and in which output, is said.
    """
    try:
        with ours:
            theirs = LiteRTRunner(model, threads=1, mode="reference")
            differing, total = _differing(theirs, ours, examples)
    except MissingOperatorError as error:
        raise ArtifactError(
            f"{name}: LiteRT's reference kernels lack {error.operator}, so that nothing can be "
            f"proven; {WAYS_OUT[name]}, or replace the layer"
        ) from error
    if differing:
        raise ArtifactError(
            f"{name}: {differing:,} of {total:,} output bytes differ from those of LiteRT's "
            f"reference kernels; {WAYS_OUT[name]}, and report this model"
        )
    return Check(name="differing_bytes", value=0, limit=f"0 of {total}", passed=True)


def _differing(theirs: Runner, ours: Runner, examples: Mapping[str, np.ndarray]) -> tuple[int, int]:
    differing = total = 0
    with theirs:
        for given in zip(*unpack(encode_all(examples, theirs.inputs)), strict=True):
            results = [unpack(runner.invoke(pack(given))) for runner in (theirs, ours)]
            for expected, found in zip(*results, strict=True):
                differing += int(np.count_nonzero(expected != found))
                total += expected.nbytes
    return differing, total


def _versions(made_of: str) -> dict[str, str]:
    return versions_of(made_of, (*CODE, "export/deploy/c"))


def versions_of(made_of: str, code: tuple[str, ...]) -> dict[str, str]:
    """Returns the versions of what makes a package: of a format's file, or of a stranger's."""
    entry = FORMATS.get(made_of)
    if entry is not None:
        return versions(entry, code)
    return {"edge-export": code_hash(code), **package_versions("ai-edge-litert", "numpy")}

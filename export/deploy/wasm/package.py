"""A verified integer file → a WebAssembly module, proven byte by byte → `artifacts/wasm/`."""

import hashlib
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from export.convert.job.inputs import ConversionInputs
from export.convert.job.up_to_date import CODE, matches, versions
from export.deploy.c.package import (
    FROM,
    Provable,
    compare,
    interface_of,
    proof_file,
    source_of,
)
from export.deploy.c.steps.weights.packing import PLAIN
from export.deploy.wasm.compiler import build, compiler
from export.deploy.wasm.module import gzip_bytes, module_source, own_bytes
from export.deploy.wasm.page import demo, script, types
from export.formats.packages import WASM
from export.formats.settings import Settings
from export.formats.table import FORMATS
from export.manifest import Manifest, Observation, check_file, read_manifest
from export.runtimes.c import write_tensors
from export.runtimes.wasm import WasmRunner, node
from train.common.errors import ArtifactError
from train.common.files.artifact import file_sha256, write_json
from train.common.files.staging import publish, staging
from train.common.preprocessing import preprocess

FOLDER, MANIFEST_FILE = WASM, f"{WASM}.json"
MODULE_FILE = "model.wasm"
SCRIPT_FILE, TYPES_FILE, DEMO_FILE = "model.mjs", "model.d.ts", "demo.html"
BESIDE = (SCRIPT_FILE, TYPES_FILE, DEMO_FILE)
OWN_BYTES = "weights_gzip_bytes"  # of what is transferred, what the weights alone would be
BESIDE_HASH = "files_sha256"  # of those three, one behind the other


def check_tools() -> None:
    """Raises a ToolkitError if the compiler or Node.js is not here."""
    compiler()
    node()


def is_current(made_of: str, settings: Settings, inputs: ConversionInputs) -> bool:
    """Returns whether making the module again would change nothing."""
    folder = inputs.record.folder / FOLDER
    try:
        manifest = read_manifest(folder / MANIFEST_FILE)
        check_file(manifest)
        beside = _hash(folder)
    except (ArtifactError, OSError):
        return False
    seen = {each.name: each.value for each in manifest.observations}
    options = {**inputs.options(settings), FROM: made_of}
    return seen.get(BESIDE_HASH) == beside and matches(
        manifest, options, _versions(made_of), inputs
    )


def make_package(
    model: Path,
    manifest: Manifest,
    inputs: ConversionInputs,
    now: datetime,
    *,
    provable: Provable,
) -> str:
    """Writes a verified file as a module, if its outputs are the same bytes on held-out examples.

    Args:
        model: the `.tflite` file, which may be staged.
        manifest: what was recorded of it when it was verified.
        inputs: what it was converted with; of its held-out examples a few go into the demo.
        now: the time to record.
        provable: `export.deploy.c.proof.provable`.

    Returns:
        What was made, as text for the terminal.

    Raises:
        ArtifactError: the file is not the one of the manifest, an operator or a type has no kernel,
            the compiler fails, Node.js refuses the module, or a byte differs.
        ToolkitError: there is no compiler, or no Node.js.
    """
    if file_sha256(model) != manifest.sha256:
        raise ArtifactError(f"{model} is not the file that {manifest.path.name} describes")
    check_tools()
    record, interface = inputs.record, interface_of(manifest)
    held_out = preprocess(inputs.held_out.inputs, inputs.preprocessing, record.inputs)
    program, source, header = source_of(model, manifest, PLAIN, module_source, WASM)
    with staging(record.folder) as staged:
        for name, text in (("module.c", source), ("model.h", header)):
            staged.joinpath(name).write_text(text, encoding="ascii")
        module = build(staged / "module.c")
        write_tensors(staged, manifest.inputs, manifest.outputs)
        proof = proof_file(model, program, staged, provable)
        compared = compare(proof, WasmRunner(module, threads=1), held_out, WASM)
        code, text = module.read_bytes(), script(interface)
        transfer = transfer_bytes(code, text)
        own = own_bytes(program.network)
        facts = f"{len(code) / 1000:,.1f} kB, {transfer / 1000:,.1f} kB to transfer (gzip)."
        title = f"{Path(manifest.source.file).stem}, {manifest.format} in WebAssembly"
        page = demo(interface, code, inputs.held_out, title, facts)
        staged.joinpath(MODULE_FILE).write_bytes(code)  # what compilers write is executable
        for name, content in zip(BESIDE, (text, types(interface), page), strict=True):
            staged.joinpath(name).write_text(content, encoding="utf-8")
        made = replace(
            manifest,
            path=record.folder / FOLDER / MANIFEST_FILE,
            format=WASM,
            runtime=WASM,
            file=MODULE_FILE,
            sha256=hashlib.sha256(code).hexdigest(),
            size_bytes=len(code),
            gzip_bytes=transfer,
            options={**manifest.options, FROM: manifest.format},
            checks=(*manifest.checks, compared),
            observations=(
                *manifest.observations,
                Observation(name="arena_bytes", value=program.plan.arena_bytes),
                Observation(name=OWN_BYTES, value=own),
                Observation(name=BESIDE_HASH, value=_hash(staged)),
                Observation(name="model_sha256", value=manifest.sha256),
            ),
            versions=_versions(manifest.format),
            created=now.isoformat(timespec="seconds"),
            parts=None,
        )
        write_json(staged / MANIFEST_FILE, made.as_json())
        (record.folder / FOLDER).mkdir(exist_ok=True)
        names = (MODULE_FILE, *BESIDE, MANIFEST_FILE)
        publish([staged / name for name in names], record.folder / FOLDER)
    return (
        f"{WASM:<28} {len(code) / 1000:>8,.1f} kB  in {FOLDER}/{MODULE_FILE}, "
        f"{transfer / 1000:,.1f} kB to transfer with {SCRIPT_FILE} (gzip; the file's weights alone "
        f"{own / 1000:,.1f}), from {manifest.format}: "
        f"the same bytes as LiteRT's reference kernels on all {len(inputs.held_out):,} held-out "
        f"examples; open {FOLDER}/{DEMO_FILE}"
    )


def transfer_bytes(code: bytes, script: str) -> int:
    """Returns how many bytes a page fetches, gzipped: of a module and its script."""
    return gzip_bytes(code) + gzip_bytes(script.encode())


def set_out(manifest: Manifest, folder: Path) -> Path:
    """Copies the module that a manifest describes to where `WasmRunner` finds what it takes.

    Args:
        manifest: `wasm.json`.
        folder: where to.

    Returns:
        The copy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder, manifest.inputs, manifest.outputs)
    return Path(shutil.copyfile(manifest.artifact_path, folder / MODULE_FILE))


def _hash(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in BESIDE)).hexdigest()


def _versions(made_of: str) -> dict[str, str]:
    return versions(FORMATS[made_of], (*CODE, "export/deploy/c", "export/deploy/wasm"))

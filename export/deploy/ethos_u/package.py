"""A verified integer file → a file for an Ethos-U NPU, and what Vela estimates of it."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from export.convert.job.inputs import ConversionInputs
from export.convert.job.up_to_date import CODE, current_manifest
from export.deploy.c.package import versions_of
from export.deploy.ethos_u.manifest import FOLDER, Made, NpuManifest, read_npu_manifest, stem
from export.deploy.ethos_u.vela import (
    NPU_OPERATOR,
    PACKAGE,
    Compiled,
    check_compiler,
    compile_file,
    compiler_version,
)
from export.formats.packages import ETHOS_U
from export.formats.settings import Settings
from export.formats.table import FORMATS
from export.manifest import Check, Manifest
from export.verify.graph.ends import ends_of
from export.verify.graph.read import read_graph
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import file_sha256, write_json
from train.common.files.staging import publish, staging


def is_current(made_of: str, npu: str, settings: Settings, inputs: ConversionInputs) -> bool:
    """Returns whether compiling again would change nothing."""
    try:
        check_compiler()
        found = read_npu_manifest(inputs.record.folder / FOLDER / f"{stem(made_of, npu)}.json")
    except ToolkitError:
        return False
    manifest = current_manifest(FORMATS[made_of], settings, inputs)
    return (
        manifest is not None
        and found.model.sha256 == manifest.sha256
        and found.npu == npu
        and found.versions == _versions(made_of)
    )


def make_package(model: Path, manifest: Manifest, folder: Path, now: datetime, npu: str) -> str:
    """Writes a verified file as Vela compiles it, beside what Vela estimates of it.

    Args:
        model: the `.tflite` file, which may be staged.
        manifest: what was recorded of it when it was verified.
        folder: of the exports.
        now: the time to record.
        npu: the configuration of the NPU.

    Returns:
        What was made, as text for the terminal.

    Raises:
        ArtifactError: the file is not the one of the manifest, Vela makes nothing of it, or what it
            makes takes or gives something else.
        ToolkitError: Vela is not installed.
    """
    if file_sha256(model) != manifest.sha256:
        raise ArtifactError(f"{model} is not the file that {manifest.path.name} describes")
    name = stem(manifest.format, npu)
    with staging(folder) as staged:
        work = staged / "vela"
        work.mkdir()
        compiled = compile_file(model, npu, work)
        checks = tuple(_checks(model, compiled))
        for check in checks:
            if not check.passed:
                raise ArtifactError(f"ethos-u: {check.reason}; report this model to Arm")
        file = compiled.path.replace(staged / f"{name}.tflite")
        made = NpuManifest(
            path=folder / FOLDER / f"{name}.json",
            format=ETHOS_U,
            npu=npu,
            file=file.name,
            sha256=file_sha256(file),
            size_bytes=file.stat().st_size,
            model=Made(
                format=manifest.format, sha256=manifest.sha256, size_bytes=manifest.size_bytes
            ),
            source=manifest.source,
            estimate=compiled.estimate,
            on_cpu=compiled.on_cpu,
            checks=(*manifest.checks, *checks),
            versions=_versions(manifest.format),
            created=now.isoformat(timespec="seconds"),
        )
        write_json(staged / f"{name}.json", made.as_json())
        (folder / FOLDER).mkdir(exist_ok=True)
        publish([file, staged / f"{name}.json"], folder / FOLDER)
    return summary(made)


def _checks(model: Path, compiled: Compiled) -> Iterator[Check]:
    """Yields what a compiled file must show: the same inputs and outputs, the NPU's operators."""
    for kind, before, after in zip(
        ("inputs", "outputs"), ends_of(model), ends_of(compiled.path), strict=True
    ):
        got, expected = (", ".join(map(str, specs)) for specs in (after, before))
        yield Check(name=kind, value=got, limit=expected, passed=got == expected)
    foreign = sorted(set(read_graph(compiled.path).foreign_operators))
    yield Check(
        name="custom_operators",
        value=", ".join(foreign),
        limit=NPU_OPERATOR,
        passed=foreign == [NPU_OPERATOR],
    )


def summary(made: NpuManifest) -> str:
    """Returns the lines that tell a user what was made."""
    found = made.estimate
    weights = found.flash_bytes or found.dram_bytes
    where = "flash" if found.flash_bytes else "DRAM"
    lines = [
        f"{f'{ETHOS_U} {made.model.format}':<28} {weights / 1000:>8,.1f} kB  of {where}, "
        f"{found.sram_bytes / 1000:,.1f} kB of SRAM, {found.inference_us:,.0f} µs on {made.npu} by "
        f"the estimate of {found.by} (not run; {found.system_config}, {found.memory_mode}), in "
        f"{FOLDER}/{made.file}"
    ]
    lines += [
        f"  on the CPU, not in the estimate: {left.count} {left.operator}: {left.reason}"
        for left in made.on_cpu
    ]
    return "\n".join(lines)


def _versions(made_of: str) -> dict[str, str]:
    found = versions_of(made_of, (*CODE, "export/deploy/ethos_u"))
    return {**found, PACKAGE: compiler_version()}

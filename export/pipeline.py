"""What is asked for → what is not up to date → convert, verify, write, one format at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from export.command.explain import EXPLORER_SUFFIX, explained
from export.command.summary import summary
from export.convert.job.inputs import ConversionInputs
from export.convert.job.job import Job
from export.convert.job.up_to_date import current_manifest
from export.convert.refusal import with_advice
from export.deploy.microcontroller.operators import unsupported
from export.deploy.packages import Package, package
from export.formats.packages import TFLM, PackageRequest
from export.formats.settings import ExportOptions, Settings, resolve
from export.formats.table import FORMATS, Format
from train.common.command.native_output import importing_large_library
from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.common.files.artifact import write_json
from train.common.files.staging import check_places, finish_publishing, publish, staging
from train.common.record import RECORD_FILE

if TYPE_CHECKING:
    from export.convert.job.loaded import LoadedJob

EXPLAIN = "--explain"  # what a failure of it is called
Load = Callable[[], "LoadedJob"]


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """One run of `python -m export`.

    Attributes:
        job: the model, its data, and the folder that the exports are written to.
        formats: what to make.
        options: what was asked for beyond their names.
        packages: what to make of formats' files as well.
        force: whether to make again what is up to date.
        explain: one of the formats, whose operators are to be looked at one by one.
    """

    job: Job
    formats: Sequence[Format]
    options: ExportOptions
    packages: Sequence[PackageRequest] = ()
    force: bool = False
    explain: Format | None = None

    def sources(self) -> list[Package]:
        """Returns the packages to make."""
        return [package(request) for request in self.packages]

    def settings(self, own_batch: int | None) -> dict[str, Settings]:
        """Returns the options of each format, by name, and of those that packages are made of.

        And of the format to explain, which may be made already.

        Args:
            own_batch: the batch that the model declares, if any.
        """
        more = [FORMATS[wanted.made_of] for wanted in self.sources()]
        more += [] if self.explain is None else [self.explain]
        return resolve([*self.formats, *more], self.options, own_batch)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who is told what an export is at, as a converter can crash, and the process with it.

    Attributes:
        crashed: why formats cannot be made whose making has crashed before, by name.
        making: told the format that is wanted, and which one is made: that, or a simpler one.
        ended: told a format that is made, or why it is not.
    """

    crashed: Mapping[str, ToolkitError] = field(default_factory=dict)
    making: Callable[[str, str], None] = lambda wanted, made: None
    ended: Callable[[str, ToolkitError | None], None] = lambda name, error: None


def export_formats(
    config: ExportConfig,
    report: Progress,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    watch: Watch = Watch(),
) -> dict[str, ToolkitError]:
    """Makes what is not up to date; a format that fails leaves the others, and its older file, be.

    TensorFlow is loaded only if there is something to convert.

    Returns:
        The error of each format that failed, by name; empty when all were written.

    Raises:
        ArtifactError: there is no model to export, or the folder cannot be written.
        DataError: the data cannot be had, or has too few examples to calibrate.
    """
    job = config.job
    finish_publishing(job.artifacts)
    record = job.known_record()
    files = [entry.name + suffix for entry in config.formats for suffix in (entry.suffix, ".json")]
    if config.explain is not None:
        files.append(config.explain.name + EXPLORER_SUFFIX)
    check_places(job.artifacts, (RECORD_FILE, *files))
    with staging(job.artifacts) as staged:
        work = staged / "work"
        work.mkdir()
        inputs = None
        if record is not None:
            inputs = job.conversion_inputs(record.inputs, record.outputs, work, record.extracted)

        @cache
        def load() -> "LoadedJob":
            report.step("loading TensorFlow")
            with importing_large_library():
                from export.convert.job.loaded import LoadedJob
            report.step("loading the model")
            loaded = LoadedJob(job, inputs, work)
            loaded.outcomes |= watch.crashed
            return loaded

        formats, packages = _outdated(config, inputs, report)
        for entry in config.formats:
            if entry not in formats:
                watch.ended(entry.name, None)
        if formats or inputs is None:
            inputs = load().inputs
        settings = config.settings(inputs.own_batch)
        if inputs.record != record:
            write_json(staged / RECORD_FILE, inputs.record.as_json())
            publish([staged / RECORD_FILE], job.artifacts)
        failures: dict[str, ToolkitError] = {}
        for entry in formats:
            report.step(f"{entry.name}: converting")
            watch.making(entry.name, entry.name)
            try:
                if entry.name in watch.crashed:
                    raise watch.crashed[entry.name]
                made = load().make(entry, settings[entry.name], staged)
            except ToolkitError as error:
                report.step(f"{entry.name}: failed, looking for a format that can be made")
                outcomes = load().outcomes
                attempt = partial(_outcome, load(), inputs, partial(watch.making, entry.name))
                failures[entry.name] = with_advice(error, entry, outcomes, attempt)
                report.milestone(f"{entry.name:<28} FAILED")
                watch.ended(entry.name, failures[entry.name])
                continue
            manifest = made.manifest(entry, settings[entry.name], inputs, now())
            write_json(staged / manifest.path.name, manifest.as_json())
            publish([made.path, staged / manifest.path.name], job.artifacts)
            report.milestone(summary(manifest))
            watch.ended(entry.name, None)
        for wanted in packages:
            report.step(f"{wanted.name}: {wanted.step}")
            watch.making(wanted.name, "")
            try:
                made_of = settings[wanted.made_of]
                report.milestone(make_package(wanted, made_of, inputs, load, work, now()))
            except ToolkitError as error:
                failures[wanted.name] = error
                report.milestone(f"{wanted.name:<28} FAILED")
            watch.ended(wanted.name, failures.get(wanted.name))
        if config.explain is not None:
            entry = config.explain
            report.step(f"{entry.name}: its operators one by one")
            watch.making(EXPLAIN, "")
            try:
                current = current_manifest(entry, settings[entry.name], inputs)
                written, text = explained(
                    entry.name,
                    current,
                    lambda: load().explain(entry, settings[entry.name], current),
                    staged,
                )
                publish(written, job.artifacts)
                report.milestone(text)
            except ToolkitError as error:
                failures[EXPLAIN] = error
            watch.ended(EXPLAIN, failures.get(EXPLAIN))
    return failures


def _outcome(
    loaded: "LoadedJob", inputs: ConversionInputs, making: Callable[[str], None], name: str
) -> ToolkitError | None:
    """Returns why a format cannot be made; an up-to-date file shows that it can."""
    if name not in loaded.outcomes:
        entry = FORMATS[name]
        settings = resolve([entry], ExportOptions(), inputs.own_batch)[name]
        if current_manifest(entry, settings, inputs):
            loaded.outcomes[name] = None
    making(name)
    return loaded.outcome(name)


def _outdated(
    config: ExportConfig, inputs: ConversionInputs | None, report: Progress
) -> tuple[list[Format], list[Package]]:
    """Returns the formats and the packages that are to be made."""
    packages = config.sources()
    if config.force or inputs is None:
        return list(config.formats), packages
    formats, outdated = [], []
    settings = config.settings(inputs.own_batch)
    for entry in config.formats:
        if current_manifest(entry, settings[entry.name], inputs):
            report.milestone(f"{entry.name:<28} is up to date; --force makes it again")
        else:
            formats.append(entry)
    for wanted in packages:
        if wanted.is_current(settings[wanted.made_of], inputs):
            report.milestone(f"{wanted.name:<28} is up to date; --force makes it again")
        else:
            outdated.append(wanted)
    return formats, outdated


def make_package(
    wanted: Package,
    settings: Settings,
    inputs: ConversionInputs,
    load: Load,
    folder: Path,
    now: datetime,
) -> str:
    """Makes a package, of the file that is there or of one made for it.

    A file made for it is verified like any other but not published: the folder may hold one of
    other options.

    Args:
        wanted: which kind.
        settings: the options of the file.
        inputs: what it is converted with.
        load: loads the model, if a file has to be made.
        folder: a temporary folder.
        now: the time to record.

    Returns:
        What was made, as text for the terminal.

    Raises:
        ToolkitError: the model cannot be converted, or not for this package.
        CheckError: the file does not do what the model does.
    """
    wanted.check()
    entry = FORMATS[wanted.made_of]
    manifest = current_manifest(entry, settings, inputs)
    if manifest is not None:
        path = manifest.artifact_path
    else:
        made, inputs = load().make(entry, settings, folder), load().inputs
        if wanted.name == TFLM and made.verification.missing_in_tflm:
            raise unsupported(made.verification.missing_in_tflm)
        path, manifest = made.path, made.manifest(entry, settings, inputs, now)
    return wanted.make(path, manifest, inputs, now)

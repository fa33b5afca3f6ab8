"""`make bench`: the speed ratios that the README claims, then how long whole commands take.

Ratios, because single times of a shared machine mean little; pairs are interleaved in rounds,
so that the machine's drift hits both sides alike.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.advise.latency_ratio import latency_ratio
from benchmark.config import BenchmarkConfig
from benchmark.judge.limits import Limits
from benchmark.judge.rows import Result
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.worker.timing import time_calls
from benchmark.pipeline import run_benchmark
from export.convert.tflite.flatbuffer import finish
from export.formats.table import FORMATS
from export.manifest import read_manifest
from export.runtimes.open import open_runner
from export.runtimes.predict import encode
from train.common.command.cli import Parser, run_program
from train.common.command.native_output import captured_native_output
from train.common.files.artifact import file_sha256, write_json
from train.common.record import read_model_record
from train.data import fashion_mnist as dataset

BARE_ROUNDS = 50
CALLS_A_ROUND = 1_000
PROCESS_RUNS = 5
STAGES = ("train", "export", "benchmark")
KERAS_DEFAULT = "keras-default"
REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str]) -> int:
    """Measures and prints every ratio; returns 0."""
    parser = Parser(prog="python -m tests.ratios", description=__doc__)
    parser.add_shared_arguments()
    options = parser.parse_args(arguments)
    read_model_record(options.artifacts)
    images = dataset.load_test(options.data).images[:CALLS_A_ROUND]
    process_ratios()
    bare_loop_ratio(options.artifacts, images)
    latency_ratios(options.artifacts, options.data)
    export_ratio(options.artifacts)
    search_ratio()
    benchmark_times(options.artifacts)
    run_times()
    return 0


def process_ratios() -> None:
    """Prints how long `--help` takes, against an interpreter that does nothing."""
    commands = {
        "python -c pass": ["-c", "pass"],
        **{f"python -m {name} --help": ["-m", name, "--help"] for name in STAGES},
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(PROCESS_RUNS):
        for name, command in commands.items():
            seconds[name].append(wall_seconds(command))
    for name in seconds:
        median = statistics.median(seconds[name])
        show(name, f"{median * 1000:.0f} ms", median / statistics.median(seconds["python -c pass"]))


def wall_seconds(
    arguments: Sequence[str], *, program: str = sys.executable, folder: Path = REPOSITORY
) -> float:
    """Returns how long a new interpreter, or another program, takes with some arguments."""
    started = time.perf_counter()
    subprocess.run([program, *arguments], cwd=folder, capture_output=True, check=False)
    return time.perf_counter() - started


def benchmark_times(artifacts: Path) -> None:
    """Prints how long the benchmark of every export takes."""
    for options in ((), ("--quick",)):
        whole = wall_seconds(["-m", "benchmark", "--artifacts", str(artifacts), *options])
        print(f"{' '.join(('python -m benchmark', *options)):<48} {whole:>16.1f} s")


def run_times() -> None:
    """Prints how long `make run` and each of its steps take in a fresh clone of this repository."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
        seconds = {"set-up": wall_seconds([".venv/host"], program="make", folder=clone)}
        for stage in STAGES:
            options = ["--format", "all"] if stage == "export" else []
            seconds[stage] = wall_seconds(
                ["-m", stage, *options], program=str(clone / ".venv/bin/python"), folder=clone
            )
    whole = sum(seconds.values())
    for name, found in (
        *((f"make run: {name}", found) for name, found in seconds.items()),
        ("make run without set-up", whole - seconds["set-up"]),
        ("make run", whole),
    ):
        print(f"{name:<48} {found:>16.1f} s")


def latency_ratios(artifacts: Path, data: Path | None) -> None:
    """Prints p50 ratios of one run of the harness, Keras's own default export among its rows.

    A second run shows how well the harness repeats itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(artifacts, Path(folder, "artifacts")))
        add_keras_default(copy)
        config = BenchmarkConfig(
            artifacts=copy,
            data=data,
            formats=None,
            limits=Limits(baseline=0, tolerance=1),
            measure=MeasureSettings(samples=10_000, rounds=20, launches=4, max_seconds=5),
        )
        first, second = (
            {found.variant.format: found for found in run_benchmark(config).results}
            for _ in range(2)
        )
    for above, below in (
        ("tflite-int8", KERAS_DEFAULT),
        ("tflite-float32", KERAS_DEFAULT),
        ("tflite-int8", "tflite-float32"),
        ("tflite-int4", "tflite-int8"),
        ("tflite-int8-qat", "tflite-int8"),
        ("tflite-int8-pruned-clustered", "tflite-int8"),
        ("onnx-int8", "onnx-float32"),
        ("tflite-int8", "onnx-int8"),
    ):
        if above in first and below in first:
            p50 = [first[name].latency for name in (above, below)]
            figures = " / ".join(f"{found.p50:.2f}" for found in p50 if found and found.p50)
            show(f"p50 {above} / {below}", f"{figures} µs", ratio(first[above], first[below]))
    for name in first:
        again, before = (ratio(run[name], run["tflite-float32"]) for run in (second, first))
        show(f"p50 {name} / tflite-float32, second run / first", "", again / before)


def add_keras_default(artifacts: Path) -> None:
    """Adds what a user gets from Keras's own exporter without options, as one more row."""
    twin = read_manifest(artifacts / "tflite-float32.json")
    path = artifacts / f"{KERAS_DEFAULT}.tflite"
    with captured_native_output():
        import keras

        model = keras.saving.load_model(artifacts / "model.keras", compile=False)
        model.export(str(path), format="litert", verbose=False)
    # Its tensors have names of their own, at which the benchmark refuses it; the graph stays.
    inputs, outputs = ([spec.name for spec in specs] for specs in (twin.inputs, twin.outputs))
    path.write_bytes(finish(path.read_bytes(), inputs=inputs, outputs=outputs, flatten=True))
    with open_runner("litert", path, threads=1) as runner:
        manifest = replace(
            twin,
            path=path.with_suffix(".json"),
            format=KERAS_DEFAULT,
            file=path.name,
            sha256=file_sha256(path),
            size_bytes=path.stat().st_size,
            inputs=runner.inputs,
            outputs=runner.outputs,
        )
    write_json(manifest.path, manifest.as_json())


def ratio(above: Result, below: Result) -> float:
    """Returns a row's median latency over another's, NaN where it was not measured."""
    found = latency_ratio(above, below)
    return float("nan") if found is None else found.value


def bare_loop_ratio(artifacts: Path, images: np.ndarray) -> None:
    """Prints the harness's p50 over that of the simplest loop, on the same interpreter."""
    manifest = read_manifest(artifacts / "tflite-int8.json")
    with open_runner("litert", manifest.artifact_path, threads=1) as runner:
        inputs = list(encode(dataset.PREPROCESSING.apply(images), runner.inputs[0])[:, np.newaxis])
        interpreter: Any = vars(runner)["_interpreter"]
        given = interpreter.get_input_details()[0]["index"]
        wanted = interpreter.get_output_details()[0]["index"]
        harness, bare = [], []
        for _ in range(BARE_ROUNDS):
            clock = time.perf_counter_ns
            timed = time_calls(
                runner.invoke, inputs, samples=len(inputs), clock_ns=clock, limit_ns=10**9
            )
            harness.append(float(np.median(timed)) / 1_000)
            durations = []
            for value in inputs:
                started = clock()
                interpreter.set_tensor(given, value)
                interpreter.invoke()
                interpreter.get_tensor(wanted)
                durations.append(clock() - started)
            bare.append(float(np.median(durations)) / 1_000)
    figures = f"{np.median(harness):.2f} / {np.median(bare):.2f} µs"
    show(
        "p50 tflite-int8, harness / bare loop", figures, float(np.median(np.divide(harness, bare)))
    )


def export_ratio(artifacts: Path) -> None:
    """Prints what exporting costs against the converter calls and fine-tuning it contains."""
    names = list(FORMATS)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("model.keras", "model.json"):
            shutil.copy(artifacts / name, copy)
        export = ["-m", "export", "--format", ",".join(names), "--artifacts", folder]
        whole = wall_seconds(export)
        bare = wall_seconds(["-m", "tests.bare_export", folder, *names])
    show(
        "export of all / converters and fine-tuning alone",
        f"{whole:.1f} / {bare:.1f} s",
        whole / bare,
    )


def search_ratio() -> None:
    """Prints what our search takes against the loop of Keras's tutorial, and what both found."""
    seconds, found = {}, {}
    for kind in ("ours", "tutorial"):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "tests.searches", kind, folder],
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                check=True,
            )
            seconds[kind] = time.perf_counter() - started
        trials, best = done.stdout.splitlines()[-1].split()
        found[kind] = f"{trials} trials, best validation accuracy {float(best):.2%}"
    show(
        "search / Keras tutorial's loop",
        f"{seconds['ours']:.1f} / {seconds['tutorial']:.1f} s",
        seconds["ours"] / seconds["tutorial"],
    )
    for kind, text in found.items():
        print(f"  {kind}: {text}")


def show(name: str, figures: str, ratio: float) -> None:
    """Prints one ratio."""
    print(f"{name:<48} {figures:>18}  ratio {ratio:.2f}")


if __name__ == "__main__":
    run_program(main)

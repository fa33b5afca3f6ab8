"""`make bench`: the speed ratios that the README claims, each pair measured in one run.

Ratios, because single times of a shared machine mean little; pairs are interleaved in rounds,
so that the machine's drift hits both sides alike.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmark.latency import time_calls
from export.formats import FORMATS
from export.manifest import read_manifest
from export.runners import encode, open_runner
from train import data as dataset
from train.cli import Parser, run_command
from train.native_output import captured_native_output
from train.record import read_model_record

ROUNDS = 10
CALLS_A_ROUND = 1_000
PROCESS_RUNS = 5
STAGES = ("train", "export", "benchmark")
BARE_LOOP = "bare loop"
Call = Callable[[np.ndarray], np.ndarray]
REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str]) -> int:
    """Measures and prints every ratio; returns 0."""
    parser = Parser(prog="python -m tests.ratios", description=__doc__)
    parser.add_shared_arguments()
    options = parser.parse_args(arguments)
    read_model_record(options.artifacts)
    images = dataset.load_test(options.data).images[:CALLS_A_ROUND]
    process_ratios(options.artifacts)
    latency_ratios(options.artifacts, images)
    export_ratio(options.artifacts)
    return 0


def process_ratios(artifacts: Path) -> None:
    """Prints how long whole commands take, against an interpreter that does nothing."""
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
    whole = wall_seconds(["-m", "benchmark", "--artifacts", str(artifacts)])
    print(f"python -m benchmark: {whole:.1f} s for every export in {artifacts}")


def wall_seconds(arguments: Sequence[str]) -> float:
    """Returns how long a new interpreter takes with some arguments."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, check=False)
    return time.perf_counter() - started


def latency_ratios(artifacts: Path, images: np.ndarray) -> None:
    """Prints p50 ratios between exports, Keras's own default export among them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        default = folder / "default.tflite"
        export_as_keras_does(artifacts / "model.keras", default)
        calls: dict[str, tuple[Call, np.ndarray]] = {}
        files = {"keras default litert": ("litert", default)}
        for name, entry in FORMATS.items():
            files[name] = (entry.runtime, read_manifest(artifacts / f"{name}.json").artifact_path)
        for name, (runtime, path) in files.items():
            runner = stack.enter_context(open_runner(runtime, path, threads=1))
            inputs = encode(dataset.PREPROCESSING.apply(images), runner.input)[:, np.newaxis]
            calls[name] = (runner.invoke, inputs)
        p50 = interleaved_p50(calls, bare_call(files["tflite-int8"][1]), calls["tflite-int8"][1])
    for above, below in (
        ("tflite-int8", "keras default litert"),
        ("tflite-float32", "keras default litert"),
        ("tflite-int8", "tflite-float32"),
        ("tflite-int4", "tflite-int8"),
        ("tflite-int8-qat", "tflite-int8"),
        ("tflite-int8-pruned-clustered", "tflite-int8"),
        ("onnx-int8", "onnx-float32"),
        ("tflite-int8", "onnx-int8"),
        ("tflite-int8", BARE_LOOP),
    ):
        figures = f"{p50[above]:.2f} / {p50[below]:.2f} µs"
        show(f"p50 {above} / {below}", figures, p50[above] / p50[below])


def export_as_keras_does(model_path: Path, destination: Path) -> None:
    """Writes what a user gets from Keras's own exporter without options."""
    with captured_native_output():
        import keras

        model = keras.saving.load_model(model_path, compile=False)
        model.export(str(destination), format="litert", verbose=False)


def interleaved_p50(
    calls: dict[str, tuple[Call, np.ndarray]], bare: Call, bare_inputs: np.ndarray
) -> dict[str, float]:
    """Returns the median microseconds of each call, taken in turns, and of a bare loop."""
    rounds: dict[str, list[np.ndarray]] = {name: [] for name in (*calls, BARE_LOOP)}
    for _ in range(ROUNDS):
        for name, (invoke, inputs) in calls.items():
            found = time_calls(
                invoke,
                list(inputs),
                samples=CALLS_A_ROUND,
                clock_ns=time.perf_counter_ns,
                limit_ns=10**9,
            )
            rounds[name].append(np.array(found))
        rounds[BARE_LOOP].append(bare_loop(bare, bare_inputs))
    return {name: float(np.median(np.concatenate(found))) / 1e3 for name, found in rounds.items()}


def bare_call(path: Path) -> Call:
    """Returns an inference as a user writes it on LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    with captured_native_output():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    wanted = interpreter.get_output_details()[0]["index"]

    def call(value: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given, value)
        interpreter.invoke()
        result: np.ndarray = interpreter.get_tensor(wanted)
        return result

    return call


def bare_loop(call: Call, inputs: np.ndarray) -> np.ndarray:
    """Returns the nanoseconds of each call in the simplest loop that can be written."""
    durations = []
    for value in inputs:
        started = time.perf_counter_ns()
        call(value)
        durations.append(time.perf_counter_ns() - started)
    return np.array(durations)


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


def show(name: str, figures: str, ratio: float) -> None:
    """Prints one ratio."""
    print(f"{name:<48} {figures:>18}  ratio {ratio:.2f}")


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))

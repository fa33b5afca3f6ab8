"""The light modules never import TensorFlow, and every command answers without it."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
HEAVY = {
    "export.cost.candidate",
    "export.cost.examples",
    "export.cost.measure",
    "export.convert.tflite.calibrate.equalize",
    "export.convert.tflite.calibrate.rounding",
    *(f"export.convert.tflite.file.{name}" for name in ("builder", "parts", "shipped")),
    "export.convert.tflite.flatbuffer",
    "export.convert.tflite.float_tail",
    "export.convert.tflite.inputs_outputs",
    "export.convert.tflite.pixels",
    "export.convert.onnx.graph.arrange",
    "export.convert.onnx.graph.canonical",
    "export.convert.onnx.graph.concat",
    "export.convert.onnx.graph.editor",
    "export.convert.onnx.graph.fold",
    "export.convert.onnx.graph.layers",
    "export.convert.onnx.graph.pool",
    "export.convert.onnx.graph.loops",
    "export.convert.onnx.graph.reshape",
    "export.convert.onnx.recurrent.choice",
    "export.convert.onnx.recurrent.operators",
    "export.convert.onnx.recurrent.weights",
    "export.convert.recurrent.calls",
    "export.convert.recurrent.masking",
    "export.convert.onnx.calibrate.bias",
    "export.convert.onnx.converter",
    "export.convert.onnx.float_model",
    "export.convert.onnx.fourier",
    "export.convert.onnx.handlers",
    "export.convert.onnx.half",
    "export.convert.onnx.calibrate.equalize",
    "export.convert.onnx.quantizer",
    "export.convert.onnx.calibrate.ranges",
    "export.convert.onnx.calibrate.rounding",
    "export.convert.onnx.transposed",
    "export.convert.tflite.calibrate.bias",
    "export.convert.tflite.calibrate.correct",
    "export.convert.tflite.converter",
    "export.convert.tflite.four_bits",
    "export.convert.tflite.calibrate.ranges",
    "export.convert.tflite.sixteen_bits",
    "export.convert.tflite.recurrent.body",
    "export.convert.tflite.recurrent.builder",
    "export.convert.tflite.recurrent.choice",
    "export.convert.tflite.recurrent.fused",
    "export.convert.tflite.recurrent.loop",
    "export.convert.tflite.recurrent.marks",
    "export.convert.tflite.recurrent.put_in",
    "export.convert.tflite.recurrent.quantized",
    "export.convert.tflite.recurrent.stand_ins",
    "export.convert.tflite.rewrites.comparisons",
    "export.convert.tflite.rewrites.editor",
    "export.convert.tflite.rewrites.float_file",
    "export.convert.tflite.rewrites.limits",
    "export.convert.tflite.rewrites.masks",
    "export.convert.tflite.rewrites.products",
    "export.convert.tflite.rewrites.saved_graph",
    "export.convert.tflite.rewrites.units",
    "export.convert.tflite.rewrites.unknown_kernels",
    "export.deploy.c.proof",
    "export.convert.candidates.few",
    "export.convert.candidates.float_size",
    "export.convert.objective",
    *(
        f"export.convert.qat.{name}"
        for name in (
            *("graph", "network", "train", "tune", "values", "weights", "write"),
            *("operators.elementwise", "operators.gemmlowp", "operators.images"),
            *("operators.loops", "operators.products", "operators.shapes", "operators.tables"),
        )
    ),
    "export.convert.calibrate.folds",
    "export.convert.calibrate.layers",
    "export.convert.finetune",
    "export.convert.finetune.folding",
    "export.convert.finetune.graph",
    "export.convert.finetune.layers",
    "export.convert.finetune.rebuild",
    "export.convert.finetune.sparse",
    "export.convert.finetune.training",
    "export.convert.candidates.trials",
    "export.convert.candidates.diagnosis",
    "export.convert.onnx.overflow",
    "export.convert.make",
    "export.convert.candidates.made",
    "export.convert.mixed.explain",
    "export.convert.mixed.make",
    "export.convert.mixed.probes.onnx_operators",
    "export.convert.mixed.probes.onnx_probe",
    "export.convert.mixed.report",
    "export.convert.mixed.probes.tflite_operators",
    "export.convert.mixed.probes.tflite_probe",
    "export.convert.mixed.trials",
    "export.convert.job.loaded",
    "export.model.keras.call",
    "export.model.keras.file",
    "export.model.keras.inputs",
    "export.model.keras.memory",
    "export.model.keras.keras2_weights",
    "export.model.keras.operators",
    "export.model.keras.precision",
    "export.model.keras.time_distributed",
    "export.model.keras.extract",
    "export.model.keras.split",
    "export.model.double",
    "export.model.load",
    "export.model.loaded",
    "export.model.rounding",
    "export.model.saved_model",
    "export.data.reference_outputs",
    "export.convert.source",
    "train.fit.adam",
    "train.fit.backup",
    "train.fit.build",
    "train.fit.crossvalidate",
    "train.search.distribute",
    "train.fit.final",
    "train.fit.fit",
    "train.data.fit_data",
    "train.fit.forward",
    "train.fit.model",
    "train.fit.trainer",
    "train.pipeline",
    "train.plots",
    "train.result",
    *(
        f"train.search.limits.{name}"
        for name in (
            *("in_full", "search", "space.built_in", "space.custom", "space.custom_job"),
            *("teacher.fitted", "teacher.gain", "teacher.named", "trials", "tuning"),
            *("weigh.candidates", "weigh.draws"),
        )
    ),
    "train.search.tune",
    "train.search.tuners",
    "train.search.work",
}
MODULES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    for package in ("train", "export", "benchmark")
    for path in (REPOSITORY / package).rglob("*.py")
)
LIGHT = [name for name in MODULES if name not in HEAVY]
# Refuses what a device does not have; runtimes may only be imported when a runner is entered.
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError(f"{{name}} imported by a light module")
sys.meta_path.insert(0, Blocker())
"""
TENSORFLOW = ("tensorflow", "keras", "tf_keras", "keras_tuner", "tf2onnx", "onnx", "scipy")
RUNTIMES = ("onnxruntime", "ai_edge_litert")


def run(code: str, blocked: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKER.format(blocked=set(blocked)) + code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_listed_heavy_module_exists() -> None:
    assert set(MODULES) >= HEAVY


def test_light_modules_import_without_tensorflow_or_runtimes() -> None:
    code = "import importlib\n" + "".join(f"importlib.import_module({name!r})\n" for name in LIGHT)
    done = run(code, TENSORFLOW + RUNTIMES)
    assert done.returncode == 0, done.stderr


def test_blocker_blocks() -> None:
    done = run("import train.fit.model", TENSORFLOW)
    assert done.returncode == 1
    assert "imported by a light module" in done.stderr


def run_command(command: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    code = (
        f"import runpy\nsys.argv[1:] = {arguments}\n"
        f"runpy.run_module({command!r}, run_name='__main__')"
    )
    return run(code, (*TENSORFLOW, *RUNTIMES, "numpy"))


@pytest.mark.parametrize("command", ["train", "export", "benchmark"])
def test_help_needs_neither_tensorflow_nor_numpy(command: str) -> None:
    done = run_command(command, ["--help"])
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m {command}" in done.stdout


@pytest.mark.parametrize("command", ["train", "export", "benchmark"])
def test_argument_errors_need_neither_tensorflow_nor_numpy(command: str) -> None:
    done = run_command(command, ["--nonsense"])
    assert done.returncode == 2
    assert done.stderr.startswith("error: unrecognized arguments: --nonsense")


def test_format_list_needs_nothing() -> None:
    done = run_command("export", ["--list"])
    assert done.returncode == 0, done.stderr
    assert "tflite-int8" in done.stdout

"""The C source for microcontrollers: arena, C text, boards, the set of files."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import export.microcontroller.package as package_module
from benchmark.subjects import find_manifests
from export.formats import FORMATS
from export.manifest import Manifest, sealed
from export.microcontroller.arena import ALIGNMENT_BYTES, Arena, check_interpreter, measure_arena
from export.microcontroller.boards import BOARDS, Board, fit, table
from export.microcontroller.c_source import c_float, c_source, c_string
from export.microcontroller.operators import add_methods
from export.microcontroller.package import FOLDER, is_current, make_package
from export.pipeline import manifest_of
from export.runners import encode
from export.settings import ExportOptions
from tests.conftest import REPOSITORY, run_module
from tests.export.conftest import Tiny, settings_of
from tests.test_interruption import start, wait_for
from train.artifact import file_sha256
from train.data import PREPROCESSING
from train.errors import ArtifactError, MissingPackageError, ToolkitError
from train.record import ModelRecord

INT8 = FORMATS["tflite-int8"]
SETTINGS = settings_of(INT8)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("a", 'b "quoted" \\', "c?\n", "Größe", *"efghij")
FNV_OFFSET, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3

MAIN = r"""
#include <stdint.h>
#include <stdio.h>
#include "model_data.h"

static model_input_t input[kInputElements];
static unsigned char arena[kTensorArenaBytes];

int main(void) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (int i = 0; i < kModelDataBytes; ++i) {
    hash = (hash ^ g_model_data[i]) * 0x100000001b3u;
  }
  printf("%d %016llx %d\n", kModelDataBytes, (unsigned long long)hash,
         (int)((uintptr_t)g_model_data % 16));
  printf("%.9g %d %.9g %d\n", (double)kInputScale, kInputZeroPoint, (double)kOutputScale,
         kOutputZeroPoint);
  printf("%d %d %d %d %d\n", kInputShape[0], kInputShape[1], kInputShape[2],
         kOutputShape[0], kOutputShape[1]);
  printf("%d %d %d\n", (int)sizeof(input), (int)sizeof(arena), kOperatorCount);
  for (int i = 0; i < kClassCount; ++i) {
    for (const char* c = g_class_names[i]; *c; ++c) printf("%02x", (unsigned char)*c);
    printf("\n");
  }
  return 0;
}
"""
RESOLVER = r"""
#include <cstdio>
#include "model_data.h"
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
template <unsigned int count> struct MicroMutableOpResolver {
  unsigned int added = 0;
  TfLiteStatus Add(const char* name) {
    std::puts(name);
    return ++added <= count ? kTfLiteOk : kTfLiteError;
  }
  TfLiteStatus AddFullyConnected() { return Add("FULLY_CONNECTED"); }
  TfLiteStatus AddSoftmax() { return Add("SOFTMAX"); }
};
alignas(kTensorArenaAlignment) static unsigned char arena[kTensorArenaBytes];
int main() {
  MicroMutableOpResolver<kOperatorCount> resolver;
  return MODEL_ADD_OPERATORS(resolver) && arena[0] == 0 ? 0 : 1;
}
"""
LANGUAGES = {
    "c11": ("gcc", "-std=c11", "-x", "c"),
    "c++17": ("g++", "-std=c++17", "-x", "c++"),
}
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic")


@pytest.fixture
def record(tiny: Tiny, tmp_path: Path) -> ModelRecord:
    """A model in an artifacts folder of its own."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    path = Path(shutil.copy(tiny.path, folder))
    return ModelRecord(
        path=path,
        sha256=file_sha256(path),
        test_accuracy=0.9,
        labels=LABELS,
        preprocessing=PREPROCESSING,
    )


@pytest.fixture
def converted(tiny: Tiny, record: ModelRecord, tmp_path: Path) -> tuple[Path, Manifest]:
    """A verified file outside the artifacts folder, and its manifest."""
    made = tiny.make(INT8, tmp_path)
    return made.path, manifest_of(made, INT8, SETTINGS, record, NOW)


def package(converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord) -> Path:
    """Makes the set of files and returns their folder."""
    make_package(*converted, tiny.expected.inputs, record, NOW)
    return record.path.with_name(FOLDER)


def stored_inputs(manifest: Manifest, tiny: Tiny, count: int = 4) -> np.ndarray:
    return encode(tiny.expected.inputs[:count], manifest.inputs[0])[:, np.newaxis]


def built(folder: Path, program: str, language: str) -> subprocess.CompletedProcess[str]:
    """Compiles `model_data.cc` and a program in a folder, warnings being errors."""
    (folder / "main.c").write_text(program)
    return subprocess.run(
        [*LANGUAGES[language], *WARNINGS, "model_data.cc", "main.c", "-o", "program"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_c_compiles_and_gives_the_bytes_and_the_quantization_back(
    language: str, converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    path, manifest = converted
    folder = package(converted, tiny, record)
    done = built(folder, MAIN, language)
    assert (done.returncode, done.stderr) == (0, "")
    ran = subprocess.run([folder / "program"], capture_output=True, text=True, check=True)
    data, quantization, shapes, sizes, *names = ran.stdout.splitlines()
    model = path.read_bytes()
    hashed = FNV_OFFSET
    for byte in model:
        hashed = ((hashed ^ byte) * FNV_PRIME) % 2**64
    assert data == f"{len(model)} {hashed:016x} 0"
    (given,), (wanted,) = manifest.inputs, manifest.outputs
    scale_in, zero_in, scale_out, zero_out = quantization.split()
    assert (np.float32(scale_in), int(zero_in)) == (np.float32(given.scale), given.zero_point)
    assert (np.float32(scale_out), int(zero_out)) == (np.float32(wanted.scale), wanted.zero_point)
    assert shapes == "1 28 28 1 10"
    arena = json.loads((folder / "tflm.json").read_text())["arena"]["size_bytes"]
    assert sizes == f"784 {arena} 2"
    assert [bytes.fromhex(name).decode() for name in names] == list(LABELS)


def test_the_macro_adds_the_operators_to_a_resolver_of_that_size(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    folder = package(converted, tiny, record)
    done = built(folder, RESOLVER, "c++17")
    assert (done.returncode, done.stderr) == (0, "")
    ran = subprocess.run([folder / "program"], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["FULLY_CONNECTED", "SOFTMAX"]


def test_header_and_source_of_different_exports_do_not_compile_together(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    folder = package(converted, tiny, record)
    header = (folder / "model_data.h").read_text()
    path, manifest = converted
    other = replace(manifest, labels=(*LABELS[:-1], "z"))
    package((path, other), tiny, record)
    (folder / "model_data.h").write_text(header)
    done = built(folder, MAIN, "c11")
    assert done.returncode != 0
    assert "model_data.h and model_data.cc are of different exports" in done.stderr


def test_float_input_has_no_quantization(tiny: Tiny, record: ModelRecord, tmp_path: Path) -> None:
    options = ExportOptions(io="float32")
    made = tiny.make(INT8, tmp_path, options)
    manifest = manifest_of(made, INT8, settings_of(INT8, options), record, NOW)
    folder = package((made.path, manifest), tiny, record)
    header = (folder / "model_data.h").read_text()
    assert "typedef float model_input_t;" in header
    assert "kInputScale" not in header
    assert "(resolver).AddQuantize() == kTfLiteOk" in header
    program = '#include "model_data.h"\nint main(void) { return kInputRank - kInputShape[0] - 2; }'
    done = built(folder, program, "c11")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("value", "literal"), [(1, "1.0f"), (0.5, "0.5f"), (1e-9, "1e-09f"), (-0.25, "-0.25f")]
)
def test_float_literals(value: float, literal: str) -> None:
    assert c_float(value) == literal
    assert np.float32(literal.rstrip("f")) == np.float32(value)


def test_string_literals_are_plain_ascii_without_trigraphs() -> None:
    assert c_string("T-shirt/top") == '"T-shirt/top"'
    assert c_string('a"\\?ü\n1') == r'"a\042\134\077\303\274\0121"'


def test_the_arena_is_the_smallest_that_gives_the_same_outputs(
    converted: tuple[Path, Manifest], tiny: Tiny, tmp_path: Path
) -> None:
    path, manifest = converted
    inputs = stored_inputs(manifest, tiny)
    found = measure_arena(path, inputs, tmp_path)
    assert found.size_bytes % ALIGNMENT_BYTES == 0
    assert found.images == 4
    assert inputs[0].nbytes < found.recorded_bytes <= found.size_bytes
    limited = measure_arena(path, inputs, tmp_path, limit_bytes=found.size_bytes)
    assert limited.size_bytes == found.size_bytes
    one_step_less = found.size_bytes - ALIGNMENT_BYTES
    with pytest.raises(ArtifactError, match=f"no tensor arena up to {one_step_less:,} bytes"):
        measure_arena(path, inputs, tmp_path, limit_bytes=one_step_less)
    model = path.read_bytes()
    small, large = (outputs(model, inputs, size) for size in (found.size_bytes, 1 << 20))
    assert np.array_equal(small, large)
    assert len(np.unique(small, axis=0)) > 1


def outputs(model: bytes, inputs: np.ndarray, arena_bytes: int) -> np.ndarray:
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    found = []
    for value in inputs:
        interpreter.set_input(value, 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0))
    return np.concatenate(found)


@pytest.mark.parametrize("limit_bytes", [64, 1024])
def test_an_arena_that_no_size_satisfies_is_an_error(
    limit_bytes: int, converted: tuple[Path, Manifest], tiny: Tiny, tmp_path: Path
) -> None:
    """In 64 bytes TFLM crashes, in 1024 it refuses."""
    path, manifest = converted
    with pytest.raises(ArtifactError, match=r"^tflm: no tensor arena up to [\d,]+ bytes") as caught:
        measure_arena(path, stored_inputs(manifest, tiny), tmp_path, limit_bytes)
    assert "Failed to allocate" in str(caught.value)


def test_operators_are_named_as_the_resolver_names_them() -> None:
    found = add_methods(["CONV_2D", "FULLY_CONNECTED", "CONV_2D", "CUMSUM"])
    assert found == {
        "CONV_2D": "AddConv2D",
        "FULLY_CONNECTED": "AddFullyConnected",
        "CUMSUM": "AddCumSum",
    }
    with pytest.raises(ArtifactError, match="TFLM has no operator GELU, CUSTOM, expected"):
        add_methods(["SOFTMAX", "GELU", "CUSTOM", "GELU"])


def with_operator(model: bytes, code: int) -> bytes:
    """Returns a model whose softmax is another operator."""
    import flatbuffers

    tree = schema.ModelT.InitFromPackedBuf(bytearray(model))
    for operator in tree.operatorCodes:
        if operator.builtinCode == schema.BuiltinOperator.SOFTMAX:
            operator.builtinCode = code
            operator.deprecatedBuiltinCode = min(code, 127)
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_a_model_with_an_operator_that_tflm_lacks_leaves_the_earlier_files(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    folder = package(converted, tiny, record)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    path, manifest = converted
    path.write_bytes(with_operator(path.read_bytes(), schema.BuiltinOperator.GELU))
    changed = replace(manifest, sha256=file_sha256(path))
    with pytest.raises(ArtifactError, match=r"^tflm: TFLM has no operator GELU"):
        package((path, changed), tiny, record)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    # the table could be ahead of the interpreter, which then says so itself
    with pytest.raises(ArtifactError, match=r"^tflm: TFLM has no operator GELU"):
        measure_arena(path, stored_inputs(manifest, tiny), folder.parent)


def test_another_file_than_the_verified_one_is_refused(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    path, manifest = converted
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match=r"is not the file that tflite-int8\.json describes"):
        package((path, manifest), tiny, record)
    assert not record.path.with_name(FOLDER).exists()


def test_the_manifest_says_what_the_files_are_and_is_current_until_something_changes(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    _, manifest = converted
    assert not is_current(SETTINGS, record)
    folder = package(converted, tiny, record)
    content = json.loads((folder / "tflm.json").read_text())
    assert content["seal"] == sealed(content)["seal"]
    assert {file["file"]: file["sha256"] for file in content["files"]} == {
        name: file_sha256(folder / name) for name in ("model_data.h", "model_data.cc")
    }
    assert content["model"]["sha256"] == manifest.sha256
    assert content["operators"] == {
        "FULLY_CONNECTED": "AddFullyConnected",
        "SOFTMAX": "AddSoftmax",
    }
    assert content["flash"]["model_bytes"] == manifest.size_bytes
    assert content["flash"]["least_bytes"] == manifest.size_bytes + 16 * 1024
    assert content["ram"]["arena_bytes"] == content["arena"]["size_bytes"]
    verdicts = {board["name"]: board["fits"] for board in content["boards"]}
    assert not verdicts["Arduino Uno R3"]
    assert verdicts["Raspberry Pi Pico"]
    assert content["labels"] == list(LABELS)

    assert is_current(SETTINGS, record)
    assert not is_current(settings_of(INT8, ExportOptions(io="uint8")), record)
    assert not is_current(SETTINGS, replace(record, sha256="other"))
    header = (folder / "model_data.h").read_bytes()
    (folder / "model_data.h").write_bytes(header + b"\n")
    assert not is_current(SETTINGS, record)
    (folder / "model_data.h").unlink()
    assert not is_current(SETTINGS, record)
    (folder / "model_data.h").write_bytes(header)
    assert is_current(SETTINGS, record)
    (folder / "tflm.json").write_text(json.dumps({**content, "created": "now"}))
    assert not is_current(SETTINGS, record)


def test_the_same_model_gives_the_same_files(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    contents = []
    for _ in range(2):
        folder = package(converted, tiny, record)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    assert not list(record.path.parent.glob(".staging-*"))


def test_a_write_that_fails_leaves_the_earlier_files(
    converted: tuple[Path, Manifest],
    tiny: Tiny,
    record: ModelRecord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = package(converted, tiny, record)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path: Path, content: object) -> None:
        path.write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_module, "write_json", full)
    path, manifest = converted
    with pytest.raises(OSError, match="No space left"):
        package((path, replace(manifest, labels=LABELS[::-1])), tiny, record)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(record.path.parent.glob(".staging-*"))


def test_the_benchmark_does_not_take_the_folder_for_an_export(
    converted: tuple[Path, Manifest], tiny: Tiny, record: ModelRecord
) -> None:
    folder = package(converted, tiny, record)
    (folder.parent / "tflite-int8.json").write_text("{}")
    assert find_manifests(folder.parent, None) == [folder.parent / "tflite-int8.json"]


def test_without_the_interpreter_the_error_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"'tflite_micro' is not .*requirements-host"):
        check_interpreter()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(ToolkitError, match="on aarch64, expected Linux on x86-64"):
        check_interpreter()


@pytest.mark.parametrize(
    ("flash_bytes", "ram_bytes", "reasons"),
    [
        (2 * 1024, 1024, ()),
        (2 * 1024 + 1, 1024, ("flash 3 of 2",)),
        (5_000, 1_025, ("flash 5 of 2", "RAM 2 of 1")),
    ],
)
def test_a_board_fits_to_the_byte(flash_bytes: int, ram_bytes: int, reasons: tuple[str]) -> None:
    board = Board(name="x", flash_kib=2, ram_kib=1)
    found = fit(board, flash_bytes=flash_bytes, ram_bytes=ram_bytes)
    assert (found.reasons, found.fits) == (reasons, not reasons)
    small = replace(board, word_bits=8)
    assert not fit(small, flash_bytes=1, ram_bytes=1).fits


@pytest.mark.parametrize(("flash_bytes", "ram_bytes"), [(1, 1), (3_000_000, 2_000_000)])
def test_the_table_of_boards_is_80_columns_wide_at_most(flash_bytes: int, ram_bytes: int) -> None:
    text = table([fit(b, flash_bytes=flash_bytes, ram_bytes=ram_bytes) for b in BOARDS])
    assert len(text.splitlines()) == len(BOARDS) + 1
    assert max(map(len, text.splitlines())) <= 80


def test_the_c_of_any_bytes_is_ascii(converted: tuple[Path, Manifest]) -> None:
    _, manifest = converted
    content = bytes(range(256))
    text = c_source(
        content,
        file=manifest.file,
        input_spec=manifest.inputs[0],
        output_spec=manifest.outputs[0],
        preprocessing=manifest.preprocessing,
        labels=LABELS,
        arena=Arena(size_bytes=16, recorded_bytes=16, images=1),
        methods={"SOFTMAX": "AddSoftmax"},
    )
    assert (text.header + text.source).isascii()
    written = re.findall(r"0x([0-9a-f]{2})\b", text.source.split("g_model_data")[-1])
    assert bytes.fromhex("".join(written)) == content
    assert max(map(len, (text.header + text.source).splitlines())) <= 110


@pytest.fixture
def exported(artifacts: Path) -> Path:
    """Trained artifacts whose `tflite-int8` is made into C source."""
    done = run_module("export", "--format", "tflm", "--artifacts", artifacts)
    assert (done.code, done.err) == (0, "")
    return artifacts


def files(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.mark.slow
def test_the_command_makes_it_from_the_export_that_is_there_without_tensorflow(
    artifacts: Path,
) -> None:
    before = files(artifacts)
    done = run_module("export", "--format", "tflm", "--artifacts", artifacts)
    assert (done.code, done.err) == (0, "")
    assert "loading TensorFlow" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    assert files(artifacts) == before
    content = json.loads((artifacts / FOLDER / "tflm.json").read_text())
    assert content["model"]["sha256"] == before["tflite-int8.tflite"]
    assert f"{content['arena']['size_bytes']:,} bytes + stack" in done.out
    for board in BOARDS:
        assert board.name in done.out

    again = run_module("export", "--format", "tflm", "--artifacts", artifacts)
    assert (again.code, again.err) == (0, "")
    assert again.out.split(maxsplit=1) == ["tflm", "is up to date; --force makes it again\n"]
    forced = run_module("export", "--format", "tflm", "--force", "--artifacts", artifacts)
    assert forced.out == done.out


@pytest.mark.slow
def test_the_command_converts_for_other_options_and_leaves_the_export_be(exported: Path) -> None:
    before = files(exported)
    arguments = ("--format", "tflm", "--io", "uint8", "--artifacts", exported)
    done = run_module("export", *arguments)
    assert (done.code, done.err) == (0, "")
    assert files(exported) == before
    content = json.loads((exported / FOLDER / "tflm.json").read_text())
    assert content["inputs"][0]["dtype"] == "uint8"
    assert content["model"]["sha256"] != before["tflite-int8.tflite"]
    assert {check["passed"] for check in content["checks"]} == {True}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_export_that_is_cut_off_leaves_the_earlier_set(
    number: signal.Signals, exported: Path
) -> None:
    before = files(exported / FOLDER)
    process = start("export", "--format", "tflm", "--force", "--artifacts", exported)
    wait_for(process, "tflm: looking for the smallest tensor arena")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGKILL)
    assert files(exported / FOLDER) == before
    again = run_module("export", "--format", "tflm", "--artifacts", exported)
    assert "is up to date" in again.out


@pytest.mark.slow
def test_a_full_disk_leaves_the_earlier_set(exported: Path, tmp_path: Path) -> None:
    """A real limit on file sizes stands in for the disk."""
    before = files(exported / FOLDER)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-m", "export", "--format", "tflm", "--force", "--artifacts", exported],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert files(exported / FOLDER) == before

"""The C text: it compiles as C and as C++, and gives the model back."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.deploy.microcontroller.arena import Arena
from export.deploy.microcontroller.c_source import c_float, c_source, c_string
from export.formats.settings import ExportOptions
from export.manifest import Manifest
from tests.export.conftest import Tiny, settings_of
from tests.export.deploy.conftest import INT8, LABELS, NOW, inputs_of
from tests.export.deploy.microcontroller.conftest import package
from train.common.record import ModelRecord

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


def test_float_input_has_no_quantization(tiny: Tiny, record: ModelRecord) -> None:
    options = ExportOptions(io="float32")
    made = tiny.made(INT8.name, options)
    inputs = inputs_of(tiny, record)
    manifest = made.manifest(INT8, settings_of(INT8, options), inputs, NOW)
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


def test_the_c_of_any_bytes_is_ascii(converted: tuple[Path, Manifest]) -> None:
    _, manifest = converted
    content = bytes(range(256))
    text = c_source(
        content,
        file=manifest.file,
        input_spec=manifest.inputs[0],
        output_spec=manifest.outputs[0],
        preprocessing=manifest.preprocessing["image"],
        labels=LABELS,
        arena=Arena(size_bytes=16, recorded_bytes=16, images=1),
        methods={"SOFTMAX": "AddSoftmax"},
    )
    assert (text.header + text.source).isascii()
    written = re.findall(r"0x([0-9a-f]{2})\b", text.source.split("g_model_data")[-1])
    assert bytes.fromhex("".join(written)) == content
    assert max(map(len, (text.header + text.source).splitlines())) <= 110

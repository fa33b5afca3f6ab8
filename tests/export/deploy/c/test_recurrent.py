"""Recurrent layers in C: loops whose bytes are those of the reference kernels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.convert.tflite.file.builder import pack, unpack
from export.deploy.c.emit import emit
from export.deploy.c.header import Interface
from export.deploy.c.host import build
from export.deploy.c.program import Program
from export.deploy.microcontroller.arena import measure_arena
from export.runtimes.c import CRunner
from export.runtimes.litert import LiteRTRunner
from export.runtimes.predict import predict
from export.runtimes.tflm import is_published_here
from tests.export.convert.tflite.recurrent.layers import KINDS
from tests.export.deploy.c.files import SANITIZED, outputs, program_of
from tests.export.deploy.c.recurrent_files import (
    FEATURES,
    MODELS,
    OF_WORDS,
    STEPS,
    examples,
    model_file,
    of_cell,
)
from tests.export.deploy.wasm.tools import module_outputs, need_tools
from train.common.errors import ArtifactError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(MODELS))
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_file(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("flags", [SANITIZED, ("-O3", "-march=native")], ids=["checked", "fast"])
def test_every_byte_is_that_of_the_reference_kernels(
    file: Path, flags: tuple[str, ...], tmp_path: Path
) -> None:
    expected, found = outputs(file, tmp_path, flags)
    assert found == expected


@pytest.mark.parametrize("file", ["stacked", "words"], indirect=True)
def test_webassembly_computes_the_same_bytes(file: Path, tmp_path: Path) -> None:
    need_tools()
    expected, found = module_outputs(file, tmp_path)
    assert found == expected


def test_it_answers_the_same_whatever_it_was_asked_before(file: Path, tmp_path: Path) -> None:
    x = examples(file.stem, 12)
    with LiteRTRunner(file, threads=1, mode="reference") as runner:
        given, made = runner.inputs, runner.outputs
        expected = predict(runner, {"x": x})
    interface = Interface(file="", inputs=given, outputs=made, preprocessing={}, labels=())
    for name, text in zip(("model.h", "model.c"), emit(program_of(file), interface), strict=True):
        tmp_path.joinpath(name).write_text(text)
    with CRunner(build(tmp_path, tmp_path / "host", given, made), threads=1) as ours:
        forwards = predict(ours, {"x": x})
        backwards = predict(ours, {"x": x[::-1]})
    for name, values in expected.items():
        np.testing.assert_array_equal(forwards[name], values)
        np.testing.assert_array_equal(backwards[name][::-1], values)


def test_the_arena_is_hardly_more_than_what_lives_at_once(file: Path) -> None:
    plan = program_of(file).plan
    assert plan.live_bytes <= plan.arena_bytes <= 1.05 * plan.live_bytes
    assert not plan.carries  # states are written where they stand


@pytest.mark.skipif(not is_published_here(), reason="TFLM's interpreter is for x86-64 Linux")
def test_the_arena_is_never_above_that_of_tflm(file: Path, tmp_path: Path) -> None:
    if file.stem in OF_WORDS:
        pytest.skip("TFLM has no SELECT, which embeddings begin with")
    theirs = measure_arena(file, np.zeros((2, 1, STEPS, FEATURES), np.int8), tmp_path)
    assert program_of(file).plan.arena_bytes < theirs.recorded_bytes


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_as_a_loop(kind: str, tmp_path: Path) -> None:
    cases: tuple[dict[str, Any], ...] = (
        {},
        {"whole": True, "go_backwards": True},
        {"whole": True, "steps": 1},
    )
    for number, options in enumerate(cases):
        path = of_cell(kind, tmp_path / f"{number}.tflite", **options)
        expected, found = outputs(path, tmp_path, SANITIZED)
        assert found == expected, options


@pytest.mark.parametrize("zeros", [False, True])
def test_masked_steps_of_any_place(zeros: bool, tmp_path: Path) -> None:
    for kind in ("lstm", "gru"):
        path = of_cell(kind, tmp_path / f"{kind}.tflite", masked=True, whole=True, zeros=zeros)
        expected, found = outputs(path, tmp_path, SANITIZED)
        assert found == expected, kind


def test_code_and_constants_do_not_grow_with_the_steps(tmp_path: Path) -> None:
    for kind in ("lstm", "both_ways"):
        programs = []
        for steps in (12, 120):
            folder = tmp_path / f"{kind}-{steps}"
            folder.mkdir()
            programs.append(program_of(model_file(kind, folder, steps)))
        short, long = ([array.values.nbytes for array in each.constants] for each in programs)
        assert short == long
        assert len(programs[0].steps) == len(programs[1].steps)
        assert programs[0].plan.arena_bytes == programs[1].plan.arena_bytes


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    content = path.read_bytes()
    tree = unpack(content)
    change(tree)
    path.write_bytes(pack(tree, len(content)))
    return path


def test_an_lstm_that_keeps_its_states_is_refused(tmp_path: Path) -> None:
    def kept(tree: Any) -> None:
        graph = tree.subgraphs[0]
        states = {int(i) for each in graph.operators if len(each.inputs) > 18 for i in each.inputs}
        graph.operators = [each for each in graph.operators if each.outputs[0] not in states]

    with pytest.raises(ArtifactError, match="keeps its states from call to call"):
        Program(changed(model_file("lstm", tmp_path), kept))


def test_a_loop_that_counts_no_steps_is_refused(tmp_path: Path) -> None:
    def odd(tree: Any) -> None:
        add = tree.subgraphs[2].operators[-1]
        add.inputs = add.inputs[::-1]

    path = of_cell("gru", tmp_path / "loop.tflite")
    with pytest.raises(ArtifactError, match=r"counts no steps.*--recurrent unrolled"):
        Program(changed(path, odd))

"""What networks cost, as the worker tells it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.cost.firmware import core_of
from export.deploy.cores.target import board_named
from tests.commands import assert_one_line_error, run_in_process
from tests.export.cost.conftest import Ask, needs_core
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow
Models = Mapping[str, Path]
MULTIPLICATIONS = {"mlp": 784 * 32 + 32 * 10, "cnn": 14 * 14 * 8 * 9 + 7 * 7 * 8 * (9 + 16) + 160}


def test_a_program_on_a_board_is_flash_variables_stack_and_cycles(ask: Ask, models: Models) -> None:
    needs_core("ATmega328P")
    found = ask(model=models["mlp"], format="c", board="uno")
    detail = found["detail"]
    assert found["flash_bytes"] == detail["constants"] + detail["code"]
    assert 784 * 32 + 320 < detail["constants"] < found["flash_bytes"] < 32_256
    assert found["ram_bytes"] == detail["variables"] + detail["stack"] < 2_048
    assert detail["variables"] >= detail["arena"] + detail["input"] + detail["output"]
    assert detail["input"] == 784
    assert found["multiplications"] == MULTIPLICATIONS["mlp"]
    assert found["instructions"] > 10 * found["multiplications"]
    assert found["latency_us"] == pytest.approx(found["instructions"] / 16, abs=1)
    assert found["board"]["flash_bytes"] == 32_256


def test_the_same_network_costs_the_same_again(
    ask: Ask, tell: Callable[[str], dict[str, Any]], models: Models
) -> None:
    needs_core("Cortex-M0+")
    request = {"model": str(models["cnn"]), "format": "c", "board": "pico"}
    assert ask(**request) == tell(json.dumps(request))


def test_a_core_alone_counts_instructions_and_knows_no_time(ask: Ask, models: Models) -> None:
    needs_core("Cortex-M4")
    found = ask(model=models["cnn"], format="c", board="cortex-m4")
    assert found["latency_us"] is None
    assert found["instructions"] > found["multiplications"] == MULTIPLICATIONS["cnn"]
    assert (found["board"]["flash_bytes"], found["board"]["ram_bytes"]) == (None, None)


def test_what_is_too_large_for_the_emulated_memory_has_its_ram_all_the_same(
    ask: Ask, models: Models
) -> None:
    needs_core("ATmega328P")
    found = ask(model=models["cnn"], format="c", board="uno")
    assert found["ram_bytes"] > 2_048
    assert found["instructions"] is None
    assert found["detail"]["stack_by"].startswith("gcc -fstack-usage")


def test_a_program_that_no_linker_can_place_is_said_not_to_fit(ask: Ask, models: Models) -> None:
    needs_core("ATmega328P")
    assert ask(model=models["wide"], format="c", board="uno") == {
        "does_not_fit": "its constants are more than the core's pointers reach"
    }
    assert ask(model=models["large"], format="c", board="uno") == {
        "does_not_fit": "its variables are more than the core's pointers reach"
    }


def test_integers_of_32_bits_take_their_room(ask: Ask, models: Models) -> None:
    needs_core("Cortex-M4")
    found = ask(model=models["ids"], format="c", board="cortex-m4", needs=["ram"])
    assert found["detail"]["input"] == 8 * 4
    assert found["ram_bytes"] >= 8 * 4 + 10


def test_on_this_machine_a_program_is_compiled_and_timed(ask: Ask, models: Models) -> None:
    found = ask(model=models["mlp"], format="c")
    assert found["flash_bytes"] > found["detail"]["constants"] > 784 * 32
    assert found["ram_bytes"] == found["detail"]["arena"]
    assert found["latency_us"] > 0
    assert found["board"] is None


def test_tflm_takes_its_core_and_an_arena(ask: Ask, models: Models) -> None:
    pytest.importorskip("tflite_micro")
    plain = ask(model=models["mlp"], format="tflite-int8")
    found = ask(model=models["mlp"], format="tflm", board="nucleo-l432kc")
    assert plain["flash_bytes"] == plain["file_bytes"] == found["file_bytes"]
    assert found["flash_bytes"] == 16 * 1024 + found["file_bytes"]
    assert found["ram_bytes"] == plain["ram_bytes"] > 784
    assert plain["latency_us"] > 0
    assert found["latency_us"] is None


def test_onnx_has_a_size_and_a_time_and_no_ram(ask: Ask, models: Models) -> None:
    found = ask(model=models["mlp"], format="onnx-int8")
    assert found["flash_bytes"] == found["file_bytes"] > 784 * 32
    assert found["ram_bytes"] is None
    assert found["latency_us"] > 0
    assert found["multiplications"] == MULTIPLICATIONS["mlp"]


def test_only_what_is_asked_for_is_measured(ask: Ask, models: Models) -> None:
    found = ask(model=models["mlp"], format="tflite-int8", needs=["flash"])
    assert (found["ram_bytes"], found["latency_us"]) == (None, None)


def test_inputs_calibrate_where_they_are_given(ask: Ask, models: Models, tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", image=np.ones((3, 28, 28), np.float32))
    given = {"model": models["mlp"], "format": "tflite-int8", "needs": ["flash"]}
    plain = ask(**given)
    found = ask(**given, inputs=tmp_path / "inputs.npz")
    assert found["file_bytes"] == plain["file_bytes"]
    np.savez(tmp_path / "other.npz", image=np.ones((3, 5), np.float32))
    refused = ask(**given, inputs=tmp_path / "other.npz")
    assert "other.npz: got 'image' of shape (3, 5), expected some of (28, 28)" in refused["error"]


def test_what_a_request_fails_of_is_one_line_and_the_next_is_answered(
    ask: Ask, tell: Callable[[str], dict[str, Any]], models: Models, tmp_path: Path
) -> None:
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04 and no more")
    mlp = str(models["mlp"])
    for request, said in (
        ({"model": mlp, "format": "c", "board": "unno"}, "did you mean uno?"),
        ({"model": mlp, "format": "c", "board": "esp32"}, "Xtensa LX6 this toolkit has no compil"),
        ({"model": mlp, "format": "tflm", "board": "uno"}, "TFLM needs 32"),
        ({"model": mlp, "format": "int8"}, 'got format "int8", expected tflite-int8, c, '),
        ({"format": "c"}, "request has no model"),
        ({"model": str(tmp_path / "none.keras"), "format": "c"}, "none.keras is not there"),
        (
            {"model": str(tmp_path / "broken.keras"), "format": "c"},
            "is not a Keras model",
        ),
        ({"model": "os:getcwd", "format": "c"}, "send the path of a saved model"),
        ([], "request"),
    ):
        answer = tell(json.dumps(request))
        assert list(answer) == ["error"], request
        assert said in answer["error"]
        assert "\n" not in answer["error"]
    assert "JSONDecodeError" in tell("{")["error"]
    assert "error" not in ask(model=mlp, format="tflite-int8", needs=["flash"])


def test_a_board_is_told_without_a_worker() -> None:
    done = run_in_process("export.cost", "--board", "uno")
    told = json.loads(done.out)
    uno = board_named("uno")
    assert (told["flash_bytes"], told["mhz"]) == (uno.flash_bytes, uno.mhz)
    assert_one_line_error(run_in_process("export.cost", "--board", "z80"), "unknown board 'z80'")


def test_a_missing_compiler_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for board, package in (("pico", "libnewlib-arm-none-eabi"), ("uno", "gcc-avr avr-libc")):
        with pytest.raises(ToolkitError, match=rf"c: got no compiler for .*apt-get .* {package}$"):
            core_of(board_named(board), ["flash"])
    with pytest.raises(ToolkitError, match=r"got no compiler or emulator for .* simavr "):
        core_of(board_named("uno"), ["latency"])

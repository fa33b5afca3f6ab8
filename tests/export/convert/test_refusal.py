"""Models with operators that a scheme cannot quantize, through the real converters."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import pytest

from export.convert.calibrate.calibration import onnx_clipped_share
from export.convert.candidates.trials import CONVERTERS, convert
from export.convert.refusal import NoFormatHelpsError, with_advice
from export.formats.table import FORMATS
from export.model.reason import reason_of
from export.runtimes.litert import LiteRTRunner
from tests.export.conftest import Tiny, load_source, settings_of
from train.common.errors import CheckError, MissingOperatorError, ToolkitError

pytestmark = pytest.mark.slow  # it trains or converts with TensorFlow


def converted(name: str, operator: Callable[[Any], Any], folder: Path) -> bytes:
    """Converts a small model that applies `operator` between its layers."""
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Dense(16)(keras.layers.Flatten()(image))
    x = operator(x)
    probabilities = keras.layers.Dense(10, activation="softmax", name="probabilities")(x)
    path = folder / "model.keras"
    keras.Model(image, probabilities).save(path)
    entry = FORMATS[name]
    settings = settings_of(entry)
    method = settings.calibration_methods[0] if settings.calibration_methods else None
    return convert(entry, settings, method, load_source(path, folder))


@pytest.mark.parametrize(
    ("name", "operator", "named"),
    [
        ("tflite-int16x8", keras.ops.sign, "operator SIGN"),
        ("tflite-float32", keras.ops.erf, "operator Erf"),
        ("tflite-int8", keras.ops.erf, "operator Erf"),
        ("onnx-float32", keras.ops.erfinv, "operator Erfinv"),
        ("onnx-int8", keras.ops.erfinv, "operator Erfinv"),
    ],
)
def test_the_operator_is_named(
    name: str, operator: Callable[[Any], Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolkitError, match=f"{name}: the converter refused .* {named}$"):
        converted(name, operator, tmp_path)


def advice(
    name: str, made: Sequence[str], known: Sequence[str] = (), error: ToolkitError | None = None
) -> tuple[str, list[str]]:
    """Returns what is said where some formats can be made, and which were tried for it.

    Those named `x!` convert, but fail a check.
    """
    tried: list[str] = []
    outcomes: dict[str, ToolkitError | None] = dict.fromkeys(known)

    def attempt(name: str) -> ToolkitError | None:
        if name not in outcomes:
            tried.append(name)
            failing = CheckError(f"{name} was not written: check snr_db")
            refused = failing if f"{name}!" in made else ToolkitError("refused")
            outcomes[name] = None if name in made else refused
        return outcomes[name]

    found = with_advice(error or ToolkitError("no"), FORMATS[name], outcomes, attempt)
    return str(found).removeprefix(f"{name}: no"), tried


@pytest.mark.parametrize(
    ("name", "made", "known", "said", "tried"),
    [
        (
            *("tflite-int8", ["tflite-float32", "tflite-dynamic"], []),
            "; tflite-dynamic can be made of this model",
            ["tflite-float32", "tflite-dynamic"],
        ),
        (
            *("tflite-int8", ["tflite-float32", "tflite-float16"], []),
            "; tflite-float32 can be made of this model",
            ["tflite-float32", "tflite-dynamic"],
        ),
        (
            *("tflite-int8", [], ["tflite-float32", "tflite-float16", "tflite-dynamic"]),
            "; tflite-dynamic can be made of this model",
            [],
        ),
        (  # of a family that cannot hold the model in float32 nothing else is tried
            *("tflite-int8", ["onnx-float32", "tflite-dynamic"], []),
            "; onnx-float32 can be made of this model",
            ["tflite-float32", "onnx-float32"],
        ),
        (
            *("onnx-float32", [], []),
            "; no simpler format can be made of this model either",
            ["tflite-float32"],
        ),
        (  # what failed a check was converted
            *("tflite-int8", ["tflite-float32!", "tflite-float16"], []),
            "; tflite-float32 was not written: check snr_db",
            ["tflite-float32", "onnx-float32"],
        ),
        (
            *("tflite-int8", ["tflite-float32!"], ["tflite-dynamic"]),
            "; tflite-dynamic can be made of this model",
            ["tflite-float32"],
        ),
    ],
)
def test_the_first_simpler_format_that_can_be_made_is_named(
    name: str, made: list[str], known: list[str], said: str, tried: list[str]
) -> None:
    assert advice(name, made, known) == (said, tried)


def test_float32_that_fails_a_check_is_not_called_impossible() -> None:
    error = CheckError("tflite-float32 was not written: check cosine")
    said, tried = advice("tflite-float32", [], [], error)
    assert (said, tried) == (str(error), ["onnx-float32"])
    said, _ = advice("tflite-float32", [], ["tflite-dynamic"], error)
    assert said == f"{error}; tflite-dynamic can be made of this model"
    said, _ = advice("tflite-float32", ["onnx-float32"], ["tflite-dynamic"], error)
    assert said == f"{error}; onnx-float32 can be made of this model"


def test_a_refusal_says_nothing_of_formats_that_would_not_help() -> None:
    said, tried = advice("onnx-int8", [], ["tflite-float32"], NoFormatHelpsError("3 GB"))
    assert (said, tried) == ("onnx-int8: 3 GB", [])


def test_any_error_can_be_given_advice() -> None:
    error = MissingOperatorError("no", operator="FOO")
    said, _ = advice("tflite-int8", [], ["tflite-dynamic"], error)
    assert said == "; tflite-dynamic can be made of this model"


def test_an_integer_input_is_named_where_it_cannot_be() -> None:
    said = "Max and min for dynamic tensors should be recorded during calibration: Failed for"
    found = reason_of(RuntimeError(f"{said} tensor serving_default_words:0"))
    assert found == "it takes no integers as they are, such as serving_default_words"


def test_a_reason_without_an_operator_is_the_first_line_and_not_a_page() -> None:
    table = reason_of(ValueError("Cannot convert a Tensor of dtype resource to a NumPy array."))
    assert table == "it holds no table to look things up in; give the model the numbers found there"
    assert reason_of(ValueError("it is broken\nhere\nand there")) == "it is broken"
    assert len(reason_of(ValueError("x" * 5_000))) == 200
    assert reason_of(ValueError()) == "ValueError"
    assert reason_of(ValueError(), "I0 greeting\nERROR: no such kernel\n") == "no such kernel"


@pytest.mark.parametrize(
    "text",
    [
        "Exception encountered when calling X.call().\n\n\x1b[1mthe cause\x1b[0m\n\n"
        "Arguments received by X.call():\n  • x=1",
        "Graph execution error:\n\nDetected at node m/MatMul defined at (most recent call last):\n"
        '  File "a.py", line 3, in f\n\nthe cause\n\t [[{{node m/MatMul}}]] [Op:__inference_1]',
        'in user code:\n\n    File "x.py", line 3, in call  *\n        raise e\n\n'
        '    ValueError: Exception encountered when calling layer "l" (type L).\n    \n'
        '    in user code:\n    \n        File "z.py", line 9, in call  *\n            a(b)\n    \n'
        '        ValueError: the cause\n    \n    \n    Call arguments received by layer "l":\n',
        '<unknown>:0: error: loc(callsite("a"("b") at "c")): the cause\n<unknown>:0: note: loc(x)',
        "2 root error(s) found.\n  (0) INVALID_ARGUMENT:  {{function_node x}} the cause\n",
    ],
)
def test_the_cause_is_found_whatever_wraps_it(text: str) -> None:
    assert reason_of(ValueError(text)) == "the cause"


@pytest.mark.parametrize("raised", [AttributeError, KeyError, IndexError, AssertionError])
def test_whatever_a_converter_raises_is_a_refusal(
    raised: type[Exception], tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise raised("edge")

    monkeypatch.setattr(CONVERTERS["onnx"], "convert", fail)
    with pytest.raises(ToolkitError, match=r"^onnx-int8: the converter refused the model: .*edge"):
        tiny.make(FORMATS["onnx-int8"], tmp_path)


def test_a_single_layer_with_a_bias_becomes_an_integer_onnx_file(tmp_path: Path) -> None:
    image = keras.Input((28, 28), name="image")
    flat = keras.layers.Flatten()(image)
    layer = keras.layers.Dense(10, bias_initializer="ones", activation="softmax", name="p")
    keras.Model(image, layer(flat)).save(tmp_path / "model.keras")
    source = load_source(tmp_path / "model.keras", tmp_path)
    entry, settings = FORMATS["onnx-int8"], settings_of(FORMATS["onnx-int8"])
    path = tmp_path / "model.onnx"
    path.write_bytes(convert(entry, settings, "min-max", source))
    share = onnx_clipped_share(path, source.representative.inputs)
    assert 0 <= (share or 0) < 0.01


@pytest.mark.parametrize("name", ["onnx-float32", "onnx-int8", "tflite-float16", "tflite-int8-qat"])
def test_weights_beyond_two_gigabytes_are_refused_before_they_are_converted(
    name: str, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny.source, "weight_count", lambda: 600_000_000)
    monkeypatch.setattr(CONVERTERS[FORMATS[name].family], "convert", None)
    expected = rf"{name}: got 2.4 GB of float32 weights, expected at most 2.1, .*; split the model"
    with pytest.raises(ToolkitError, match=expected):
        tiny.make(FORMATS[name], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_its_runtime_gives_up_on_is_refused(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def invoke(self: LiteRTRunner, values: object) -> None:
        raise RuntimeError("no kernel for int16\nNode number 5 failed to invoke.")

    monkeypatch.setattr(LiteRTRunner, "invoke_each", invoke)
    expected = r"^tflite-dynamic: its runtime cannot run the file: no kernel for int16$"
    with pytest.raises(ToolkitError, match=expected):
        tiny.make(FORMATS["tflite-dynamic"], tmp_path)

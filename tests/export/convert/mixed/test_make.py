"""Real files: plain integers fail, the mixed file passes and says what is in float."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.command.explain import worst
from export.convert.candidates.made import Made
from export.convert.make import make
from export.convert.mixed.explain import explained
from export.convert.mixed.trials import CRASHES
from export.formats.settings import ExportOptions
from export.formats.table import FORMATS
from export.verify.graph.read import read_graph
from tests.export.conftest import Tiny, settings_of
from tests.export.convert.mixed.models import Case
from train.common.errors import CheckError, ToolkitError

pytestmark = pytest.mark.slow


def made(name: str, case: Case, folder: Path, **options: float | str) -> Made:
    entry = FORMATS[name]
    asked = ExportOptions(**options)  # type: ignore[arg-type]
    return make(entry, settings_of(entry, asked), case.source, case.expected, folder)


def test_a_computed_mask_is_left_in_float(masked: Case, tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="tflite-int8 was not written"):
        made("tflite-int8", masked, tmp_path, calibration_method="min-max")
    found = made("tflite-int8-mixed", masked, tmp_path, calibration_method="min-max")
    assert found.mixture is not None
    kinds = {each.operator for each in found.mixture.operators}
    assert "SOFTMAX" in kinds
    assert {each.layer for each in found.mixture.operators} >= {"masked", "attention"}
    whys = "\n".join(each.why for each in found.mixture.operators)
    assert re.search(r"in steps of 1\.\d+e\+07", whys), whys
    assert len(found.mixture.operators) <= 4
    assert found.mixture.int8_multiplications is not None
    assert found.mixture.int8_multiplications > 0.9
    assert set(read_graph(found.path).float_operators) == set(found.mixture.float_operators)
    assert found.mixture.tried[0].in_float == 0
    assert not found.mixture.tried[0].passed
    assert any(attempt.passed for attempt in found.mixture.tried)


@pytest.mark.parametrize("family", ["tflite", "onnx"])
def test_an_outlier_and_what_reads_it_are_left_in_float(
    wide: Case, family: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckError):
        made(f"{family}-int8", wide, tmp_path, calibration_method="min-max")
    found = made(f"{family}-int8-mixed", wide, tmp_path, calibration_method="min-max")
    assert found.mixture is not None
    assert "mix" in {each.layer for each in found.mixture.operators}
    assert "front" not in {each.layer for each in found.mixture.operators}
    drops = [check.value for check in found.verification.checks if check.name == "accuracy_drop"]
    assert all(float(drop) <= 0.01 for drop in drops)


@pytest.mark.parametrize("family", ["tflite", "onnx"])
def test_where_plain_integers_are_within_the_limits_they_are_the_result(
    tiny: Tiny, family: str, tmp_path: Path
) -> None:
    io = ExportOptions(io="float32") if family == "tflite" else ExportOptions()
    plain, mixed = tiny.made(f"{family}-int8", io), tiny.made(f"{family}-int8-mixed")
    assert mixed.path.read_bytes() == plain.path.read_bytes()
    assert mixed.mixture is not None
    assert mixed.mixture.operators == ()
    assert [attempt.passed for attempt in mixed.mixture.tried] == [True]
    assert mixed.mixture.int8_multiplications == mixed.mixture.int8_bytes == 1
    assert mixed.layers is not None
    own = [each.own_snr_db for each in mixed.layers.operators if not each.in_float]
    assert own
    assert all(ratio is not None and ratio > 20 for ratio in own)
    assert "plain int8 is within the limits" in mixed.mixture.text


@pytest.mark.parametrize(("share", "kept"), [(1.0, True), (0.9, True), (0.0, False)])
def test_without_labels_classes_are_kept_where_a_mixture_can(
    wide: Case, tmp_path: Path, share: float, *, kept: bool
) -> None:
    given = wide.expected.inputs["signal"]
    between = np.linspace(given[:40], given[40:80], 200).reshape(-1, *given.shape[1:])
    (scores,) = wide.source.predict({"signal": between}).values()
    second, first = np.sort(scores, axis=1)[:, -2:].T
    close = between[np.argsort(first - second)[25:75]]  # whose class little turns
    inputs = {"signal": np.concatenate([given[:100], close])}
    outputs = wide.source.predict(inputs)
    unlabelled = replace(wide.expected, labels={}, inputs=inputs, outputs=outputs)
    case = replace(wide, expected=unlabelled)
    found = made("tflite-int8-mixed", case, tmp_path, max_float_share=share).mixture
    assert found is not None
    assert found.tried[0].passed  # plain int8 has a centred SNR of 30 dB
    assert (found.tried[0].agreement or 1) < 0.99
    assert bool(found.operators) == kept
    assert ("none within the limits keeps 99%" in found.text) != kept
    assert kept == any((each.agreement or 0) >= 0.99 for each in found.tried)


def test_limits_that_no_mixture_meets_are_told_with_what_came_closest(
    wide: Case, tmp_path: Path
) -> None:
    with pytest.raises(ToolkitError, match="no mixture loses at most 1 points") as told:
        made(
            *("tflite-int8-mixed", wide, tmp_path),
            max_float_share=0.0,
            calibration_method="min-max",
        )
    assert "closest, with" in str(told.value)
    assert "at most 0% of the multiplications" in str(told.value)
    assert str(told.value).endswith("allow more with --max-drop or --max-float-share")
    unlabelled = replace(wide, expected=replace(wide.expected, labels={}))
    with pytest.raises(ToolkitError, match=r"SNR of 30 dB .*; allow more with --max-float-share$"):
        made(
            *("tflite-int8-mixed", unlabelled, tmp_path),
            max_float_share=0.0,
            calibration_method="min-max",
        )


def test_where_a_large_model_needs_it_more_operators_are_quantized_alone(
    wide: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.convert.mixed.make.suspects", lambda found, *_: ([], found[::-1]))
    options: dict[str, float | str] = {"max_float_share": 0.175, "calibration_method": "min-max"}
    found = made("tflite-int8-mixed", wide, tmp_path, **options).mixture
    assert found is not None
    assert "wide" in {each.layer for each in found.operators}  # for which 'head' leaves no room
    assert not all(each.passed for each in found.tried)
    monkeypatch.setattr("export.convert.mixed.make.MOST_TRIED", 0)
    with pytest.raises(ToolkitError, match="no mixture loses at most 1 points"):
        made("tflite-int8-mixed", wide, tmp_path, **options)


@pytest.mark.parametrize(
    ("family", "method"),
    [
        ("tflite", "gptq"),
        ("tflite", "bias-corrected"),
        ("onnx", "gptq"),
        ("onnx", "bias-corrected"),
    ],
)
def test_operators_without_weights_are_quantized_alone_whatever_corrects_weights(
    masked: Case, family: str, method: str, tmp_path: Path
) -> None:
    found = made(f"{family}-int8-mixed", masked, tmp_path, calibration_method=method).layers
    assert found is not None
    alone = {each.operator: each.alone for each in found.operators if each.alone is not None}
    assert {"ADD", "Add"} & alone.keys()
    assert all(outcome.snr_db > CRASHES.snr_db for outcome in alone.values())


def test_more_than_the_examples_can_show_is_refused_at_once(masked: Case, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="got 800 held-out examples, expected at least 3,838"):
        made("tflite-int8-mixed", masked, tmp_path, max_drop=0.001)
    assert not list(tmp_path.iterdir())


def test_the_report_names_the_culprit_and_shows_what_leaving_it_out_gains(
    wide: Case, tmp_path: Path
) -> None:
    entry = FORMATS["tflite-int8"]
    settings = settings_of(entry, ExportOptions(calibration_method="min-max"))
    layers = explained(entry, settings, None, wide.source, wide.expected, tmp_path)
    first = worst(layers)[0]
    assert first.layer in ("wide", "mix")
    assert "outlier channel 3" in first.cause or "'wide'" in first.cause
    assert first.alone is not None
    assert first.left_out is not None
    others = [each for each in layers.operators if each.layer in ("front", "head")]
    assert all(each.alone is not None and each.alone.snr_db > first.alone.snr_db for each in others)
    assert np.isclose(layers.outcome.snr_db, first.alone.snr_db, atol=6)

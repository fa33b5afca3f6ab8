import itertools
from dataclasses import asdict

import pytest

from export.__main__ import format_list, main
from export.formats.select import select_formats
from export.formats.table import FORMATS, Format
from train.common.errors import ToolkitError


def names(*requests: str) -> list[str]:
    return [entry.name for entry in select_formats(requests)]


def test_names_aliases_commas_and_all() -> None:
    assert names("tflite-int8") == ["tflite-int8"]
    assert names("onnx,tflite", "tflite") == ["tflite-float32", "onnx-float32"]
    assert names(" tflite-int8 , onnx-int8 ") == ["tflite-int8", "onnx-int8"]
    assert names(",".join(FORMATS)) == list(FORMATS)
    assert names("all") == [name for name in FORMATS if not name.endswith("-mixed")]


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        ("tflite-int", "did you mean tflite-int8?"),
        ("TFLITE-INT8", "did you mean tflite-int8?"),
        ("onx", "did you mean onnx?"),
        ("zzzzzz", "`python -m export --list` shows them all"),
    ],
)
def test_an_unknown_name_gets_the_closest(request_: str, hint: str) -> None:
    with pytest.raises(ToolkitError, match=f"unknown format '{request_}'") as caught:
        names(request_)
    assert hint in str(caught.value)


def test_the_c_source_is_known_to_the_export_alone() -> None:
    assert [entry.name for entry in select_formats(["tflm,onnx"], besides=("tflm",))] == [
        "onnx-float32"
    ]
    assert select_formats(["tflm"], besides=("tflm",)) == []
    with pytest.raises(ToolkitError, match="unknown format 'tflm'"):
        names("tflm")


@pytest.mark.parametrize("requests", [[], [""], [",", " "]])
def test_nothing_asked_for_is_refused(requests: list[str]) -> None:
    with pytest.raises(ToolkitError, match="no format given; expected all or any of"):
        select_formats(requests)


def test_the_list_shows_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    shown = capsys.readouterr().out
    assert shown == format_list() + "\n"
    for name in (*FORMATS, "tflm"):
        assert f"\n{name} " in shown


@pytest.mark.parametrize("entry", FORMATS.values(), ids=list(FORMATS))
def test_an_entry_names_itself_consistently(entry: Format) -> None:
    family, scheme = entry.name.split("-", 1)
    assert family == entry.family
    assert scheme
    assert entry.suffix == f".{entry.family}"
    assert (entry.io_dtypes[0] == "int8") == (
        entry.family == "tflite" and entry.activations == "int8" and not entry.mixed
    )
    assert entry.mixed == ("mixed" in scheme)
    assert [recipe for recipe in ("pruned", "clustered", "qat") if recipe in scheme] == list(
        entry.recipes
    )


def test_no_format_is_held_to_more_than_a_coarser_one_of_the_same_weights() -> None:
    bits = {"float32": 32, "float16": 16, "int16": 16, "dynamic": 8, "int8": 8}
    plain = [entry for entry in FORMATS.values() if not entry.recipes]
    assert any(entry.activations == "int16" for entry in plain)
    for fine, coarse in itertools.product(plain, plain):
        same_weights = fine.weights == coarse.weights
        if same_weights and bits[fine.activations] >= bits[coarse.activations]:
            asked, kept = asdict(fine.limits), asdict(coarse.limits)
            for most in ("accuracy_drop", "max_abs_error"):
                assert asked.pop(most) >= kept.pop(most), (fine.name, most)
            assert all(asked[least] <= kept[least] for least in kept), fine.name

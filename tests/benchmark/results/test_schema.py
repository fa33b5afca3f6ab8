"""`benchmark/results/SCHEMA.md` names every key of `benchmark.json`, and no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.advise.clause import Clause
from benchmark.advise.explain import Explanation
from tests.benchmark.report.contents import VARIED, content_of, measured
from tests.commands import GATE, REPOSITORY, run_in_process

NAMES_OF_THEIR_OWN = (
    "versions",
    "source.training",
    "browser.packages",
    "call_overhead_us",
    "recommendation.limits",
    "results[].classes",
    "results[].outputs",
)  # objects whose names are no fixed keys
OF_A_MANIFEST = "results[].layers"  # whose fields are those of a dataclass
LINE = re.compile(r"^\| `([^`]+)` \|.*?\| ([^|]*)\|$", re.MULTILINE)
DOCUMENTED = dict(LINE.findall((REPOSITORY / "benchmark" / "results" / "SCHEMA.md").read_text()))


def keys(value: Any, path: str = "") -> Iterator[str]:
    """The path of every key inside a value, as the schema writes them."""
    if isinstance(value, dict):
        for name, item in value.items():
            own = f"{path}.{'*' if path in NAMES_OF_THEIR_OWN else name}".lstrip(".")
            own = own.replace("browser_recommendation.", "recommendation.")  # as that
            if own.endswith(("outputs.*.scores", "outputs.*.distance")):
                own = own.replace(".outputs.*", "")  # as those of the row
            yield own
            if own != OF_A_MANIFEST:
                yield from keys(item, own)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item, f"{path}[]")


def may_be_absent(key: str) -> bool:
    return "absent" in DOCUMENTED[key]


def assert_documented(content: dict[str, Any]) -> None:
    written = set(keys(content))
    assert written - set(DOCUMENTED) == set()
    assert {key for key in set(DOCUMENTED) - written if not may_be_absent(key)} == set()


def test_every_key_is_documented_and_written() -> None:
    assert_documented(VARIED)


def test_a_key_too_many_and_a_key_too_few_are_found() -> None:
    with pytest.raises(AssertionError, match="surprise"):
        assert_documented({**VARIED, "surprise": 1})
    with pytest.raises(AssertionError, match="created"):
        assert_documented({key: VARIED[key] for key in VARIED if key != "created"})


def test_what_is_explained_of_a_row_is_in_the_row_too() -> None:
    found = Explanation(row="b", finding=Clause("{} too large", (2,)), causes=(Clause("why"),))
    content = content_of(measured("a"), measured("b"), explanations=(found,))
    assert content["explanations"] == ["b: 2 too large: why"]
    assert [row["explanations"] for row in content["results"]] == [[], ["2 too large: why"]]


def test_a_null_is_documented_as_such() -> None:
    nulls = {key for key, value in VARIED.items() if value is None}
    nulls |= {f"settings.{key}" for key, value in VARIED["settings"].items() if value is None}
    nulls |= {f"results[].{key}" for key, value in VARIED["results"][0].items() if value is None}
    # what a worker says of loading, which this run had none of
    loading = re.compile(r"_ms$|first_inference|peak_rss|call|pinned|clipped|input_range")
    undocumented = {key for key in nulls if "null" not in DOCUMENTED[key]}
    assert {key for key in undocumented if not loading.search(key)} == set()


@pytest.mark.slow
def test_every_key_of_a_really_written_file(artifacts: Path) -> None:
    done = run_in_process(
        *("benchmark", "--artifacts", artifacts, "--format", "tflite-int8,onnx-int8", "--quick"),
        *("--batch", "16", "--profile", *GATE),
    )
    assert done.code == 0, done.out + done.err
    content = json.loads((artifacts / "benchmark.json").read_text())
    assert_documented(content)
    assert "results[].profile.operators[].mean_us" in set(keys(content))
    assert "results[].throughput.images_per_second" in set(keys(content))

"""The model card: its front matter is what the Hub takes, its text holds what matters."""

from typing import Any

import yaml

from benchmark.report.card import card_text
from tests.benchmark.report.contents import EXTREMES, VARIED, content_of, measured, read

TRAINING = {
    "dataset": "Fashion-MNIST",
    "sha256": "f" * 64,
    "examples": 54_000,
    "validation": 6_000,
    "recipe": "default",
    "epochs": 120,
    "seed": 1,
}


def parts(content: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The front matter and the text, split as the Hub splits them."""
    start, front, text = card_text(read(content)).split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), text


def trained(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "source": {**content["source"], "training": TRAINING}}


def test_the_front_matter_has_the_fields_that_the_hub_requires() -> None:
    """As in hub-docs/modelcard.md: these are required of every entry of a model index."""
    for content in (VARIED, trained(VARIED)):
        found, _ = parts(content)
        (entry,) = found["model-index"]
        (result,) = entry["results"]
        assert entry["name"]
        assert result["task"]["type"] == found["pipeline_tag"] == "image-classification"
        assert set(result["dataset"]) >= {"type", "name"}
        assert [set(metric) for metric in result["metrics"]] == [{"type", "value", "name"}] * 5
        assert result["metrics"][0] == {
            "type": "accuracy",
            "value": VARIED["results"][0]["accuracy"],
            "name": "accuracy, tflite-float32",
        }
    assert found["datasets"] == [result["dataset"]["type"]] == ["zalando-datasets/fashion_mnist"]
    assert found["tags"] == ["tflite", "onnx", "edge"]


def test_whatever_the_names_are_it_is_yaml_and_every_row_is_in_it() -> None:
    for content in EXTREMES.values():
        found, text = parts(content)
        assert text.count("\n| ") >= len(content["results"]) + 1
        measured_rows = [row for row in content["results"] if row["accuracy"] is not None]
        metrics = [
            metric
            for entry in found.get("model-index", [])
            for metric in entry["results"][0]["metrics"]
        ]
        assert len(metrics) == len(measured_rows)


def test_the_card_says_what_it_was_trained_on_or_that_this_is_not_known() -> None:
    assert "Fashion-MNIST: 54,000 examples, 6,000 more to choose by" in parts(trained(VARIED))[1]
    assert "Not known here" in parts(VARIED)[1]


def test_the_card_has_the_classes_of_the_row_to_take_and_the_hashes() -> None:
    content = content_of(measured("a", flips={0: 1}))
    content["results"][0] |= {"file": "a.tflite", "sha256": "c" * 64}
    content["recommendation"]["name"] = "a"
    text = parts(content)[1]
    assert r"| T-shirt\|top | 20 | 90.00 | 95.00 |" in text
    assert f"- a.tflite: `{'c' * 64}`" in text
    assert f"`{content['data']['sha256']}`" in text
    assert "- limits: baseline 90.00%" in text

"""Which parts a model's configuration may name."""

from typing import Any

import pytest

from export.model.safety import check_config, check_legacy_config
from train.common.errors import ArtifactError


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class_name": "ClassMethod", "config": {"cls_symbol": "x"}}, "holds a layer ClassMethod"),
        ({"class_name": "TFOpLambda", "config": {"function": "py_function"}}, "'py_function'"),
        ({"class_name": "function", "module": "os", "config": "system"}, "of the module 'os'"),
        (
            {"class_name": "function", "module": "keras.utils", "config": "get_file"},
            "of the module 'keras.utils'",
        ),
        ({"class_name": "Popen", "module": "subprocess", "config": {}}, "'subprocess'"),
        (
            {"class_name": "x", "module": "tf_keras.src.utils.data_utils", "config": {}},
            "module 'tf_keras.src.utils.data_utils'",
        ),
        (
            {
                "class_name": "Popen",
                "module": "subprocess",
                "registered_name": "p",
                "config": "Own",
            },
            "'subprocess'",
        ),
    ],
)
def test_older_configurations_may_only_name_parts_of_keras(
    config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        check_legacy_config("model.h5", {"config": {"layers": [config]}}, ["Own"])


def test_older_configurations_may_name_custom_objects() -> None:
    own = {"class_name": "Own", "module": "mine", "config": {}}
    function = {"class_name": "function", "module": "mine", "config": "Own"}
    relu = {"class_name": "function", "module": "builtins", "config": "relu"}
    check_legacy_config("model.h5", [own, function, relu], ["Own"])


def test_a_lambda_is_found_in_any_part_of_a_layer() -> None:
    code = {"class_name": "__lambda__", "config": {"value": ["4wEA"]}}
    layer = {"class_name": "Dense", "config": {"activation": code}}
    with pytest.raises(ArtifactError, match="holds a lambda"):
        check_config("model.keras", {"config": {"layers": [layer]}})


def test_named_functions_are_no_lambdas() -> None:
    named = {"class_name": "function", "config": "double"}
    check_config("model.keras", [{"class_name": "Lambda", "config": {"function": named}}])
    code = {"class_name": "Cell", "config": {"filter": ["4wEA"], "filter_type": "lambda"}}
    with pytest.raises(ArtifactError, match=r"holds a lambda \(filter_type\)"):
        check_config("model.h5", code)

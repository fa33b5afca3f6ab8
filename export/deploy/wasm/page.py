"""`model.mjs`, `model.d.ts` and `demo.html`: how a page calls the module, and one that does."""

import base64
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.deploy.c.header import Interface, comment
from train.common.preprocessing import RAW, Factor
from train.common.samples import Samples
from train.common.tensors import TensorSpec

TEMPLATES = Path(__file__).with_name("templates")
MOST_EXAMPLES, MOST_EXAMPLE_BYTES = 10, 500_000  # of a demo
PICTURE_CHANNELS = (1, 3)
STORED = {"int8": "Int8Array", "uint8": "Uint8Array", "bool": "Uint8Array", "int32": "Int32Array"}


def script(interface: Interface) -> str:
    """Returns the JavaScript module that loads and calls `model.wasm`."""
    inputs = [
        {**_tensor(spec), "factor": _list(how.scale), "offset": _list(how.offset)}
        for spec in interface.inputs
        for how in (interface.preprocessing.get(spec.name, RAW),)
    ]
    return _filled(
        "model.mjs",
        FILE=comment(interface.file),
        INPUTS=_json(inputs),
        OUTPUTS=_json([_tensor(spec) for spec in interface.outputs]),
        CLASSES=_json(list(interface.labels)),
    )


def types(interface: Interface) -> str:
    """Returns the TypeScript declarations of the module."""
    one_in, one_out = len(interface.inputs) == 1, len(interface.outputs) == 1
    return _filled(
        "model.d.ts",
        FILE=comment(interface.file),
        VALUES="Values | Record<string, Values>" if one_in else "Record<string, Values>",
        MADE="Float32Array" if one_out else "Record<string, Float32Array>",
        STORED=STORED[interface.outputs[0].dtype] if one_out else "Record<string, Stored>",
    )


def demo(interface: Interface, code: bytes, raw: Samples, title: str, facts: str) -> str:
    """Returns a page that shows the module on some examples, and on what one draws or drops.

    Args:
        interface: what the module takes and gives.
        code: the module.
        raw: examples, of which a few are put into the page.
        title: what the page is called.
        facts: a sentence about the files.
    """
    chosen = some_examples(raw)
    (name, *others) = [spec.name for spec in interface.inputs]
    shape = interface.inputs[0].shape[1:]
    picture = not others and (len(shape) == 2 or (len(shape) == 3 and shape[2] in PICTURE_CHANNELS))
    values = chosen.inputs[name]
    low, high = (0, 255) if values.dtype == np.uint8 else (values.min(), values.max())
    job = {
        "examples": [
            {"name": _label(chosen, i), "values": _example(chosen, i)} for i in range(len(chosen))
        ],
        "picture": picture,
        "low": float(low),
        "high": float(high),
        "facts": facts,
    }
    return _filled(
        "demo.html",
        TITLE=html.escape(title),
        MODULE=script(interface),
        CODE=base64.b64encode(code).decode(),
        JOB=_json(job),
    )


def some_examples(raw: Samples) -> Samples:
    """Returns a few examples: the first of each class where these are known."""
    example_bytes = sum(values[:1].nbytes for values in raw.inputs.values())
    most = max(1, min(MOST_EXAMPLES, MOST_EXAMPLE_BYTES // max(1, example_bytes)))
    for targets in raw.targets.values():
        if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
            return raw.take(np.unique(targets, return_index=True)[1][:most])
    return raw.take(np.arange(min(most, len(raw))))


def _label(samples: Samples, i: int) -> str:
    for targets in samples.targets.values():
        if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer) and samples.class_names:
            return samples.class_names[int(targets[i])]
    return ""


def _example(samples: Samples, i: int) -> Mapping[str, Any]:
    found = {}
    for name, values in samples.inputs.items():
        kept = values[i] if values.dtype == np.uint8 else values[i].astype("<f4")
        data = base64.b64encode(np.ascontiguousarray(kept).tobytes()).decode()
        found[name] = {"dtype": kept.dtype.name, "data": data}
    return found


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "shape": [size or 1 for size in spec.shape[1:]],
        "dtype": spec.dtype,
        "scale": spec.scale,
        "zeroPoint": spec.zero_point,
    }


def _list(factor: Factor) -> list[float]:
    return list(factor) if isinstance(factor, tuple) else [factor]


def _json(content: Any) -> str:
    """Returns JSON as it may stand in a script of a page."""
    return json.dumps(content).replace("<", "\\u003c")


def _filled(template: str, **values: str) -> str:
    text = TEMPLATES.joinpath(template).read_text(encoding="utf-8")
    return re.sub(f"@({'|'.join(values)})@", lambda found: values[found[1]], text)

"""TFLite's converter and quantizer: float and quantized `.tflite` files.

Schemes: https://ai.google.dev/edge/litert/models/post_training_quantization
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.util import modify_model_io_type

from export.convert.source import SavedModel, SourceModel
from export.convert.tflite.calibrate.correct import correct
from export.convert.tflite.calibrate.equalize import equalized
from export.convert.tflite.calibrate.ranges import (
    example_extremes,
    set_extremes,
    set_least_squares,
    set_percentiles,
    set_widened,
    widen_means,
    widen_vanishing,
)
from export.convert.tflite.file.builder import pack, unpack
from export.convert.tflite.flatbuffer import finish, has_loops, unshare
from export.convert.tflite.float_tail import put_on, take_off
from export.convert.tflite.four_bits import narrow
from export.convert.tflite.inputs_outputs import INTEGERS, take_out_shared
from export.convert.tflite.pixels import take_out_casts
from export.convert.tflite.recurrent.choice import AUTO, Choice, alternatives, choose
from export.convert.tflite.recurrent.put_in import (
    OUTPUT,
    Marked,
    calibrate,
    in_float,
    name_outputs,
)
from export.convert.tflite.recurrent.quantized import reveal as put_in
from export.convert.tflite.recurrent.quantized import show
from export.convert.tflite.rewrites import saved_graph
from export.convert.tflite.rewrites.comparisons import in_integers
from export.convert.tflite.rewrites.float_file import rewrite
from export.convert.tflite.rewrites.limits import drop_idle_limits
from export.convert.tflite.rewrites.masks import clamp_masks
from export.convert.tflite.rewrites.units import with_one_unit
from export.convert.tflite.rewrites.unknown_kernels import hide, reveal
from export.convert.tflite.sixteen_bits import in_16_bits
from export.formats.calibration import EQUALIZED, WIDENED, parts_of
from export.formats.settings import Settings
from export.formats.table import Format

NO_RENAMING: Mapping[str, str] = MappingProxyType({})


def convert(entry: Format, settings: Settings, method: str | None, source: SourceModel) -> bytes:
    """Returns the model as a `.tflite` file of the format's precisions.

    Int8 weights have a scale for each channel; where they are clustered, for each layer: else
    sixteen shared values would become sixteen per channel.

    Args:
        entry: the format.
        settings: its options.
        method: how ranges come from the representative dataset; None where none is needed.
        source: the model.
    """
    taken: dict[str, Any] = {}
    ranges, correction = parts_of(method) if method else (None, None)
    if entry.recipes:
        from export.convert.finetune import fine_tune

        recurrent_choice(source, entry, settings)
        folder = fine_tune(source, entry.recipes, settings)
        saved_graph.rewrite(folder, saved_graph.LACKING | saved_graph.INEXACT)
        saved_model = SavedModel(folder=folder)
    else:
        saved_model = _saved_model(source, entry, settings)
    if not entry.calibrated:
        content = _converted(entry, saved_model)
    else:
        content, taken = _quantized(entry, settings, ranges, source, saved_model)
    if entry.weights == "int4":
        content = narrow(content, settings.int8_shares[0])
    if correction is not None:
        twin, mixture = float_twin(source, entry, settings), bool(settings.float_operators)
        content = correct(content, correction, twin, source, is_mixture=mixture)
    return _finished(content, source, settings.io_dtype, **taken)


def recurrent_choice(source: SourceModel, entry: Format, settings: Settings) -> Choice:
    """Returns what becomes of the model's recurrent layers in a format.

    Raises:
        ToolkitError: a layer, or the format, cannot be made as is asked for.
    """
    calls = source.recurrent_calls(settings.batch)
    return choose(calls, entry, settings.recurrent)


def recurrent_ways(source: SourceModel, entry: Format, settings: Settings) -> list[Settings]:
    """Returns the settings as they are, and those of other ways to make recurrent layers.

    Raises:
        ToolkitError: as `recurrent_choice`.
    """
    chosen = recurrent_choice(source, entry, settings)
    others = alternatives(chosen, entry) if settings.recurrent == AUTO else []
    return [settings, *(replace(settings, recurrent=way) for way in others)]


def recurrent_names(source: SourceModel, entry: Format, settings: Settings) -> dict[str, str]:
    """Returns the names of recurrent layers by those of their outputs in an integer file."""
    one_by_one = replace(settings, batch=settings.batch or 1)
    layers = _saved_model(source, entry, one_by_one).layers
    return {OUTPUT.format(number): layer.call.name for number, layer in enumerate(layers)}


def float_twin(
    source: SourceModel, entry: Format, settings: Settings, method: str | None = None
) -> bytes:
    """Returns the float32 file that an integer file is quantized from, with the same tensors.

    Its activations' ranges are their extremes over the representative dataset.

    Args:
        source: the model.
        entry: the integer format.
        settings: its options; of an open batch, one example is taken at a time.
        method: how the integer file is calibrated; where channels are equalized, they are here.
    """
    one_by_one = replace(settings, batch=settings.batch or 1)
    return _float_twin(source, entry, one_by_one, method)[0]


def _float_twin(
    source: SourceModel, entry: Format, settings: Settings, method: str | None
) -> tuple[bytes, Marked]:
    """Returns the float file, and what the quantizer is shown of it."""
    saved_model = _saved_model(source, entry, settings)
    key: tuple[Path, str] = saved_model.folder, entry.activations
    if key not in source.float_twins:
        source.float_twins[key] = _calibrated(saved_model, source, entry.activations)
    if method != EQUALIZED:
        return source.float_twins[key]
    plain, key = key, (saved_model.folder, f"{entry.activations}, {EQUALIZED}")
    if key not in source.float_twins:
        if saved_model.layers:
            raise ValueError("its recurrent layers are put in later; channels cannot be equalized")
        twin, _ = source.float_twins[plain]
        source.float_twins[key] = _ranged(equalized(twin, source.representative.inputs), source)
    return source.float_twins[key]


def _saved_model(source: SourceModel, entry: Format, settings: Settings) -> SavedModel:
    choice = recurrent_choice(source, entry, settings)
    return source.saved_model(settings.batch, choice, for_integers=entry.calibrated)


def _calibrated(
    saved_model: SavedModel, source: SourceModel, activations: str
) -> tuple[bytes, Marked]:
    """Returns a SavedModel as a float file, and the same with marks and ranges of its activations.

    TensorFlow's own calibrator looks at what an operator reads after it has run: of a sum that is
    written over one of its terms, as LiteRT does it, it gives the sum's range to that term too.

    Raises:
        ValueError: it has a loop; the quantizer would crash on it, and the process with it.
    """
    content = _converter(saved_model).convert()
    if has_loops(content):
        raise ValueError("it has a loop or a condition, which integer formats cannot hold")
    content = _finished(rewrite(content, activations), source, flatten=True)
    inputs = source.representative.inputs
    if saved_model.layers:
        marked = Marked(content=name_outputs(content), layers=saved_model.layers)
        twin = in_float(marked)
        calibrate(marked, twin, inputs)
        return twin, marked
    return _ranged(content, source)


def _ranged(content: bytes, source: SourceModel) -> tuple[bytes, Marked]:
    """Returns a float file with the ranges of its activations, twice."""
    extremes = example_extremes(content, source.representative.inputs)
    tree = unpack(content)
    set_extremes(tree, extremes)
    ranged = pack(tree, len(content))
    calibrated = clamp_masks(ranged)
    if calibrated == ranged:
        source.extremes[calibrated] = extremes
    return calibrated, Marked(content=calibrated, layers=())


def _quantized(
    entry: Format,
    settings: Settings,
    method: str | None,
    source: SourceModel,
    saved_model: SavedModel,
) -> tuple[bytes, dict[str, Any]]:
    """Returns the model quantized to integers, with ranges by a method.

    And what was taken out before, for `finish` to give back.
    """
    if entry.recipes:
        twin, marked = _calibrated(saved_model, source, entry.activations)
    else:
        twin, marked = _float_twin(source, entry, settings, method)
    tree = unpack(marked.content)
    shared = take_out_shared(tree, [spec.name for spec in source.outputs])
    if len(shared) == len(source.outputs):
        return twin, {}  # it computes nothing
    if method in ("percentile", "mse", *WIDENED):
        inputs = source.representative.inputs
        if twin not in source.extremes:
            source.extremes[twin] = example_extremes(twin, inputs)
        if method == "percentile":
            set_percentiles(tree, source.extremes[twin], inputs)
        elif method in WIDENED:
            set_widened(tree, source.extremes[twin], WIDENED[method])
        else:
            set_least_squares(tree, twin, source.extremes[twin], inputs)
    pixels = take_out_casts(tree) if entry.activations == "int8" else ()
    drop_idle_limits(tree)
    widen_means(tree)
    widen_vanishing(tree)
    tail = None
    if settings.io_dtype == "float32" and entry.activations == "int8":
        tail = take_off(tree, twin, source.representative.inputs)
    hide(tree)
    show(tree, marked, str(entry.activations))
    if entry.activations == "int16":
        unshare(tree)
    content, dtype = pack(tree, len(twin)), tf.as_dtype(settings.io_dtype)
    if entry.activations == "int16":  # by an older quantizer
        content = in_16_bits(content, dtype, settings, source, calibrate=not marked.layers)
        content = modify_model_io_type(content, dtype, dtype)
    else:
        content = mlir_quantize(
            content,
            disable_per_channel="clustered" in entry.recipes,
            input_data_type=dtype,
            output_data_type=dtype,
            denylisted_nodes=set(settings.float_operators) or None,
        )
    content = with_one_unit(put_in(in_integers(reveal(content)), marked))
    if tail is not None:
        content = put_on(content, tail)
    return content, {"shared": shared, "pixels": pixels}


def _converted(entry: Format, saved_model: SavedModel) -> bytes:
    """Returns a SavedModel that needs no calibration."""
    converter = _converter(saved_model)
    if entry.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if entry.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    if saved_model.layers:
        content = in_float(Marked(content=content, layers=saved_model.layers), entry.weights)
    return content


def _converter(saved_model: SavedModel) -> Any:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model.folder))
    converter.allow_custom_ops = bool(saved_model.layers)  # the marks; others are found later
    return converter


def _finished(
    content: bytes,
    source: SourceModel,
    dtype: str = "float32",
    *,
    flatten: bool = False,
    shared: Mapping[str, str] = NO_RENAMING,
    pixels: tuple[str, ...] = (),
) -> bytes:
    ranges = None
    if dtype in INTEGERS:
        inputs = source.representative.inputs
        ranges = {name: (float(v.min()), float(v.max())) for name, v in inputs.items()}
    return finish(
        content,
        inputs=[spec.name for spec in source.inputs],
        outputs=[spec.name for spec in source.outputs],
        flatten=flatten,
        shared=shared,
        pixels=pixels,
        dtype=dtype,
        ranges=ranges,
    )

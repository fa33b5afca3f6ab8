"""Which input or output of a stranger's file is which of a model's."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

# What TensorFlow's converters put around a tensor's name.
PREFIXES, SUFFIX = ("serving_default_", "StatefulPartitionedCall:"), ":0"


def match(
    path: Path, kind: str, found: Sequence[TensorSpec], wanted: Sequence[TensorSpec]
) -> tuple[TensorSpec, ...]:
    """Returns a file's inputs or outputs, in its order, under the model's names.

    They are matched by name, the others by the shape of an example and by what they hold.

    Args:
        path: the file, for messages.
        kind: `input` or `output`.
        found: of the file.
        wanted: of the model.

    Raises:
        ArtifactError: one fits none or several, or there are more or fewer.
    """
    if len(found) != len(wanted):
        raise _error(path, kind, found, wanted, f"{len(wanted)} of them")
    names = [_plain(spec.name) for spec in found]
    left = {spec.name: spec for spec in wanted}
    matched: dict[int, TensorSpec] = {}
    for place, name in enumerate(names):
        if names.count(name) == 1 and name in left:
            matched[place] = left.pop(name)
    for place, spec in enumerate(found):
        if place in matched:
            if not _fits(spec, matched[place]):
                raise _error(path, kind, [spec], [matched[place]], "its shape")
            continue
        fitting = [each for each in left.values() if _fits(spec, each)]
        same = [each for each in fitting if kind_of(each) == kind_of(spec)]
        rivals = [
            each
            for other, each in enumerate(found)
            if other not in matched and each is not spec and _key(each) == _key(spec)
        ]
        chosen = same or fitting
        if len(chosen) != 1 or rivals:
            what = "one that fits it" if not chosen else "one alone that fits it, or its name"
            raise _error(path, kind, [spec], list(left.values()), what)
        matched[place] = left.pop(chosen[0].name)
    return tuple(replace(spec, name=matched[place].name) for place, spec in enumerate(found))


def _plain(name: str) -> str:
    """Returns a tensor's name without what TensorFlow's converters add."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name.removesuffix(SUFFIX)


def _fits(spec: TensorSpec, wanted: TensorSpec) -> bool:
    """Returns whether an example's shape is that of the model's; the batch is any."""
    ours, theirs = spec.shape[1:], wanted.shape[1:]
    return len(spec.shape) == len(wanted.shape) and all(
        None in (a, b) or a == b for a, b in zip(ours, theirs, strict=True)
    )


def kind_of(spec: TensorSpec) -> str:
    """Returns what a tensor holds: real numbers, however they are stored, or integers."""
    return "real" if spec.is_float or spec.scale is not None else spec.dtype


def _key(spec: TensorSpec) -> tuple[object, ...]:
    return spec.shape[1:], kind_of(spec)


def _error(
    path: Path,
    kind: str,
    found: Sequence[TensorSpec],
    wanted: Sequence[TensorSpec],
    expected: str,
) -> ArtifactError:
    got, of_model = (", ".join(map(str, specs)) or "none" for specs in (found, wanted))
    return ArtifactError(
        f"{path}: got {kind} {got}, expected {expected} among the model's {of_model}; give a file "
        "of the same model, or name its tensors as the model does"
    )

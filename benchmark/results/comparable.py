"""What makes two runs comparable, and what else differs between them. Light."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmark.results.fields import shown
from benchmark.results.read import RecordedRow, RecordedRun
from train.common.environment import Environment

# What a kernel keeps of the memory differs from version to version; a memory module is more.
MAX_MEMORY_CHANGE = 0.02


def shared_rows(old: RecordedRun, new: RecordedRun) -> dict[str, tuple[RecordedRow, RecordedRow]]:
    """Returns the rows that both runs have, by their name, in the old run's order."""
    return {name: (row, new.rows[name]) for name, row in old.rows.items() if name in new.rows}


def same_data(old: RecordedRun, new: RecordedRun) -> bool:
    """Whether two runs saw the same images with the same labels, or both without any."""
    if old.labels is None or new.labels is None:
        same_labels = old.labels is new.labels and old.images == new.images
    else:
        same_labels = np.array_equal(old.labels, new.labels)
    return same_labels and old.data_sha256 == new.data_sha256


def other_machine(old: Environment, new: Environment) -> tuple[str, ...]:
    """Returns what makes two machines different ones to a latency, each with both values.

    The processor, its vector extensions, the cores that a run may use, and the memory. The system
    and Python are not: they can be updated, and are named as a possible cause. Two machines of
    the same kind are one to it.
    """
    found = [
        f"{what} {before} → {after}"
        for what, before, after in (
            ("processor", old.cpu, new.cpu),
            ("architecture", old.architecture, new.architecture),
            ("cores", old.cores, new.cores),
        )
        if before != after
    ]
    found += [
        f"{which} run was emulated"
        for which, run in (("the old", old), ("the new", new))
        if run.emulated
    ]
    features = sorted(set(old.cpu_features) ^ set(new.cpu_features))
    if features:
        found.append(f"vector extensions: only one has {', '.join(features)}")
    before, after = old.memory_bytes, new.memory_bytes
    if abs(before - after) > MAX_MEMORY_CHANGE * max(before, after):
        found.append(f"memory {before / 1e9:.1f} → {after / 1e9:.1f} GB")
    return tuple(found)


def causes(old: RecordedRun, new: RecordedRun) -> Iterator[str]:
    """Yields what else differs: the model, the runtimes and the system, the settings."""
    if old.source_sha256 != new.source_sha256:
        yield (
            f"another Keras model: {old.source_sha256[:12]}… → {new.source_sha256[:12]}…, so "
            "other weights"
        )
    before = {**old.versions, "python": old.environment.python, "system": old.environment.system}
    after = {**new.versions, "python": new.environment.python, "system": new.environment.system}
    yield from _differences(before, after)
    yield from _differences(old.settings, new.settings)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name} {_shown(old.get(name))} → {_shown(new.get(name))}"


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else shown(value)

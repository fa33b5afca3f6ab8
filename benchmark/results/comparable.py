"""What makes two runs comparable, and what else differs between them."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from benchmark.measure.conditions import Browser
from benchmark.results.row import Row
from benchmark.results.run import Run
from train.common.environment import Environment
from train.common.files.decode import shown

# What a kernel keeps of the memory differs from version to version; a memory module is more.
MAX_MEMORY_CHANGE = 0.02


def shared_rows(old: Run, new: Run) -> dict[str, tuple[Row, Row]]:
    """Returns the rows that both runs have, by their name, in the old run's order."""
    rows = new.rows
    return {name: (row, rows[name]) for name, row in old.rows.items() if name in rows}


def browser_renamed(old: Run, new: Run) -> Run:
    """Returns the old run with the rows of its browser named by the new run's version of that."""
    before, after = old.browser, new.browser
    if before is None or after is None or _family(before.name) != _family(after.name):
        return old
    rows = (
        row
        if row.browser is None
        else replace(row, name=row.name.replace(before.name, after.name), browser=after.name)
        for row in old.results
    )
    return replace(old, results=tuple(rows))


def _family(name: str) -> str:
    """Returns a browser's name without its version."""
    return " ".join(part for part in name.split() if not part.isdigit())


def timed_alike(old: Run, new: Run, row: Row) -> bool:
    """Whether two runs timed a row on one device: of a browser, in one of this machine."""
    before, after = old.browser, new.browser
    if row.browser is None:
        return True
    return before is not None and after is not None and before.here and after.here


def same_data(old: Run, new: Run) -> bool:
    """Whether two runs saw the same images with the same labels, or both without any."""
    labels, others = old.data.labels, new.data.labels
    if labels is None or others is None:
        same_labels = labels is others and old.total == new.total
    else:
        same_labels = np.array_equal(labels, others)
    return same_labels and old.data.sha256 == new.data.sha256


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


def causes(old: Run, new: Run) -> Iterator[str]:
    """Yields what else differs: the model, the runtimes and the system, the settings."""
    before, after = old.source.sha256, new.source.sha256
    if before != after:
        yield f"another Keras model: {before[:12]}… → {after[:12]}…, so other weights"
    old_software = {
        **old.versions,
        "python": old.environment.python,
        "system": old.environment.system,
    }
    new_software = {
        **new.versions,
        "python": new.environment.python,
        "system": new.environment.system,
    }
    if old.browser and new.browser:
        yield from _differences(_browser(old.browser), _browser(new.browser))
    yield from _differences(old_software, new_software)
    yield from _differences(asdict(old.settings), asdict(new.settings))


def _browser(found: Browser) -> dict[str, Any]:
    return {
        "browser": f"{found.name} ({found.version})",
        "its clock's step in µs": round(found.clock_step_us, 3),
        "its GPU": found.gpu,
    }


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name} {_shown(old.get(name))} → {_shown(new.get(name))}"


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else shown(value)

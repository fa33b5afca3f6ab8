"""What a command ends with: runs compared or merged, and the gate that says the exit code."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.report.gate import REGRESSION
from train.common.errors import ToolkitError
from train.common.files.staging import check_places, publish, staging

if TYPE_CHECKING:
    from benchmark.results.compare import Changes
    from benchmark.results.run import Run

# https://docs.github.com/actions/reference/workflow-commands-for-github-actions#adding-a-job-summary
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What was asked of a gate.

    Attributes:
        junit: where JUnit XML is written; None for none.
        fail_on: what exit code 1 is for; empty for the default.
        compare: a results file to compare with, or two to compare with each other.
    """

    junit: Path | None
    fail_on: tuple[str, ...]
    compare: tuple[Path, ...]

    def check(self) -> None:
        """Raises a ToolkitError where it cannot be done, before anything is measured."""
        if len(self.compare) > 2:
            raise ToolkitError(
                f"got {len(self.compare)} files with --compare, expected one, to compare this run "
                "with, or two; to show more side by side, give them to --merge"
            )
        if REGRESSION in self.fail_on and not self.compare:
            raise ToolkitError(
                f"got --fail-on {REGRESSION} without --compare, expected an earlier results file "
                "beside it; give --compare FILE"
            )
        if self.junit is not None and self.junit.suffix.lower() != ".xml":
            raise ToolkitError(
                f"got --junit {self.junit}, expected a name that ends in .xml, lest it takes "
                "another file's place; give one"
            )
        if self.junit is not None:
            with staging(self.junit.parent, "--junit"):
                check_places(self.junit.parent, [self.junit.name], "--junit")


def compare_files(request: GateRequest) -> int:
    """Prints what changed between two results files; returns the exit code."""
    from rich.console import Console

    from benchmark.report.terminal.comparison import render_changes
    from benchmark.results.compare import find_changes
    from benchmark.results.read import read_run

    old, new = (read_run(path) for path in request.compare)
    request.check()
    changes = find_changes(old, new)
    render_changes(changes, Console())
    return conclude(request, new, changes, measured=False)


def conclude_run(request: GateRequest, run: "Run", old: "Run | None") -> int:
    """Prints what changed since an earlier run, if there is one; returns the exit code."""
    if old is None:
        return conclude(request, run, None, measured=True)
    from rich.console import Console

    from benchmark.report.terminal.comparison import render_changes
    from benchmark.results.compare import find_changes

    changes = find_changes(old, run)
    print()
    render_changes(changes, Console())
    return conclude(request, run, changes, measured=True)


def conclude(request: GateRequest, run: "Run", changes: "Changes | None", *, measured: bool) -> int:
    """Writes what CI reads of a run; returns the exit code."""
    from benchmark.report.gate.gate import Gate, fail_on
    from benchmark.report.gate.junit import junit_xml

    chosen = fail_on(request.fail_on, compared=changes is not None, measured=measured)
    gate = Gate(run=run, changes=changes, fail_on=chosen)
    if request.junit is not None:
        with staging(request.junit.parent, "--junit") as staged:
            file = staged / request.junit.name
            file.write_text(junit_xml(gate), encoding="utf-8")
            publish([file], request.junit.parent)
    if place := os.environ.get(STEP_SUMMARY):
        from benchmark.report.gate.step_summary import add_step_summary  # of the tables

        add_step_summary(gate, Path(place))
    return gate.exit_code


def merge_files(paths: Sequence[Path]) -> int:
    """Prints the results of several machines side by side."""
    from rich.console import Console

    from benchmark.report.terminal.machines import render_machines
    from benchmark.results.merge import read_machines

    render_machines(read_machines(paths), Console())
    return 0

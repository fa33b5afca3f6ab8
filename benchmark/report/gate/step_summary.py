"""What GitHub Actions shows of a run on the page of the job: the table and the verdicts."""

from collections.abc import Iterator
from pathlib import Path

from benchmark.report.gate.gate import Gate
from benchmark.report.tables import escaped, table_lines
from train.common.errors import ToolkitError, reason_and_remedy


def add_step_summary(gate: Gate, path: Path) -> None:
    """Adds the summary to the file that GitHub names.

    Raises:
        ToolkitError: the file cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(summary_text(gate))
    except OSError as error:
        reason, remedy = reason_and_remedy(error, "name a file that can be written to, or none")
        raise ToolkitError(
            f"$GITHUB_STEP_SUMMARY is {path}, which cannot be written: {reason}; {remedy}; the "
            "results are kept"
        ) from error


def summary_text(gate: Gate) -> str:
    """Returns the summary as Markdown."""
    return "\n".join(_lines(gate)) + "\n"


def _lines(gate: Gate) -> Iterator[str]:
    run = gate.run
    yield f"## Benchmark of the exports: {'failed' if gate.exit_code else 'passed'}"
    yield ""
    yield from table_lines(run)
    yield ""
    for found in run.recommendations:
        yield f"Take **{escaped(found.name)}**: {escaped(found.reason)}"
        yield ""
    for row in run.results:
        mark = "✗" if gate.stops(row.verdict) else "·"
        yield from (
            f"- {mark} {escaped(row.name)}: {row.verdict}: {escaped(reason)}"
            for reason in row.reasons
        )
    if gate.changes is not None:
        yield ""
        worse = [f"{name} ({', '.join(kinds)})" for name, kinds in gate.worse.items()]
        against = f"Against {gate.changes.old.path} of {gate.changes.old.created}: "
        yield escaped(against + (", ".join(worse) if worse else "nothing got worse"))
    yield ""

"""Renders what changed between two runs, plain when piped."""

from typing import get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark.judge.scoring.metrics import MISSING
from benchmark.judge.statistics import SIGNIFICANCE
from benchmark.report.figures import interval
from benchmark.report.terminal.console import plain_table, say
from benchmark.results.compare import WORSE, Changes, Kind, PredictionChange
from benchmark.results.latency_changes import MIN_CHANGE, MIN_LAUNCHES, LatencyChange
from train.common.intervals import paired_drop_interval

MIN_ALIKE = 3  # rows that must all move before the machine is suspected


def render_changes(changes: Changes, console: Console) -> None:
    """Prints a summary, and what differs in verdict, size, accuracy and latency."""
    say(console, _summary(changes))
    worse = [
        f"{row.name} ({', '.join(kind for kind in row.kinds if kind in WORSE)})"
        for row in changes.worse
    ]
    say(console, f"Worse: {', '.join(worse)}." if worse else "Nothing got worse.")
    for what, run in (("old", changes.old), ("new", changes.new)):
        say(console, f"{what}: {run.path}, {run.created}")
    if changes.causes:
        say(console, f"What else differs, a possible cause: {'; '.join(changes.causes)}.")
    _verdicts(changes, console)
    _sizes(changes, console)
    _accuracies(changes, console)
    _values(changes, console)
    _latencies(changes, console)


def _summary(changes: Changes) -> str:
    changed = [row for row in changes.rows if row.kinds]
    counts = {kind: sum(kind in row.kinds for row in changed) for kind in get_args(Kind)}
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    total = f"{len(changes.rows)} row{'s' * (len(changes.rows) != 1)}"
    left_out = []
    if changes.other_machine:
        left_out.append("latencies (another machine)")
    untested = sum(row.latency is not None and row.latency.ratio is None for row in changes.rows)
    if untested:
        left_out.append(f"latencies of {untested} rows (too few launches)")
    if not changes.same_data:
        left_out.append("predictions (other test data)")
    not_compared = f" Not compared: {', '.join(left_out)}." if left_out else ""
    return f"{len(changed)} of {total} changed{': ' * bool(found)}{found}.{not_compared}"


def _verdicts(changes: Changes, console: Console) -> None:
    for row in changes.rows:
        old, new = row.old, row.new
        if old is None or new is None:
            found, side = (new, "new") if new else (old, "old")
            say(console, f"{row.name}: only in the {side} file: {found and found.verdict}")
        elif old.verdict != new.verdict:
            reasons = "".join(f": {reason}" for reason in new.reasons)
            say(console, f"{row.name}: verdict {old.verdict} → {new.verdict}{reasons}")


def _sizes(changes: Changes, console: Console) -> None:
    table = plain_table("size in bytes", ("old", "new", "gzip old", "gzip new"))
    same = 0
    for row in changes.rows:
        if row.old is None or row.new is None:
            continue
        if "other size" not in row.kinds:
            same += 1
            continue
        sizes = (row.old.size_bytes, row.new.size_bytes, row.old.gzip_bytes, row.new.gzip_bytes)
        cells = [MISSING if size is None else f"{size:,}" for size in sizes]
        table.add_row(Text(row.name), *cells)
    _same(console, same, table, "size and gzip")
    if table.row_count:
        _print(console, table)


def _accuracies(changes: Changes, console: Console) -> None:
    if not changes.same_data:
        _unpaired(changes, console)
        return
    table = plain_table(
        "accuracy in %", ("old", "new", "flips", "lost", "gained", "drop 95 %", "p")
    )
    found = {row.name: row.predictions for row in changes.rows if row.predictions is not None}
    styles = {"less accurate": "red", "more accurate": "green"}
    for row in changes.rows:
        if row.predictions is not None and row.predictions.flips:
            style = "".join(styles.get(kind, "") for kind in row.kinds)
            table.add_row(Text(row.name, style), *_accuracy_cells(row.predictions))
    _same(console, len(found) - table.row_count, table, "prediction of every image")
    if not table.row_count:
        return
    _print(console, table)
    tested = sum(change.p is not None for change in found.values())
    say(
        console,
        "flips: images with another prediction; lost: right before, wrong now; drop: points of "
        f"accuracy lost (Tango); p: McNemar's exact test, corrected for {tested} rows (Holm), a "
        f"change below {SIGNIFICANCE}.",
    )


def _accuracy_cells(change: PredictionChange) -> list[str]:
    paired = change.paired
    if paired is None:
        return [MISSING, MISSING, f"{change.flips:,}", *[MISSING] * 4]
    drop = paired_drop_interval(paired.lost, paired.gained, paired.total)
    return [
        f"{(paired.accuracy + paired.drop) * 100:.2f}",
        f"{paired.accuracy * 100:.2f}",
        f"{change.flips:,}",
        f"{paired.lost:,}",
        f"{paired.gained:,}",
        interval(drop, 2, 100),
        _p(change.p),
    ]


def _unpaired(changes: Changes, console: Console) -> None:
    old, new = changes.old, changes.new
    say(
        console,
        "Predictions are not compared image by image: got other test data, "
        f"{old.total:,} images ({old.data.sha256[:12]}…) → {new.total:,} "
        f"({new.data.sha256[:12]}…).",
    )
    table = plain_table("accuracy in %", ("old", "new", "drop 95 %"))
    for row in changes.rows:
        if row.unpaired is not None:
            shares = (f"{share * 100:.2f}" for share in (row.unpaired.old, row.unpaired.new))
            table.add_row(Text(row.name), *shares, interval(row.unpaired.drop_ci95, 2, 100))
    if table.row_count:
        _print(console, table)
        say(
            console,
            "drop: points of accuracy, an interval for unrelated images (Newcombe). It does not "
            "say whether the model or the images changed, so no change is called one.",
        )


def _values(changes: Changes, console: Console) -> None:
    found = {row.name: row.values for row in changes.rows if row.values is not None}
    if not found:
        return
    notation = changes.new.measure.notation
    table = plain_table(notation.name, ("old", "new", "change"))
    for name, (old, new) in found.items():
        if old != new:
            by = (
                f"{new / old - 1:+.2%}"
                if notation.error and old
                else f"{(new - old) * 100:+.2f} points"
            )
            table.add_row(Text(name), notation.figure(old), notation.figure(new), by)
    _same(console, len(found) - table.row_count, table, notation.name)
    if table.row_count:
        _print(console, table)
        say(
            console,
            f"{notation.name}: not tested, the files hold none of the outputs that it is of; what "
            "is lost beyond a limit changes the verdict.",
        )


def _latencies(changes: Changes, console: Console) -> None:
    if changes.other_machine:
        say(
            console,
            f"Latencies are not compared: got another machine, {'; '.join(changes.other_machine)}; "
            "measure both on the same one.",
        )
        return
    table = plain_table("latency, p50 in µs", ("old", "new", "change", "95 %", "p", ""))
    styles = {"slower": "red", "faster": "green"}
    found = {row.name: row.latency for row in changes.rows if row.latency is not None}
    for name, change in found.items():
        table.add_row(Text(name, styles.get(change.kind or "", "")), *_latency_cells(change))
    if not found:
        return
    _print(console, table)
    kinds = [change.kind for change in found.values() if change.ratio is not None]
    if len(kinds) < len(found):
        say(
            console,
            f"–: fewer than {MIN_LAUNCHES} undisturbed launches of the process in one of the runs, "
            "too few to tell a change from noise; --quick has one.",
        )
    if not kinds:
        return
    say(
        console,
        "change: of the medians of the process launches, with its 95 % interval, by Welch's test "
        f"of their logarithms; p: corrected for {len(kinds)} rows (Holm). Slower or faster is what "
        f"has p below {SIGNIFICANCE} and changed by more than {MIN_CHANGE:.0%}: two runs of the "
        "same machine minutes apart differ by a few percent anyway. All else is within noise.",
    )
    if len(kinds) >= MIN_ALIKE and (moved := set(kinds)) in ({"slower"}, {"faster"}):
        say(
            console,
            f"Every row is {moved.pop()}: more likely the machine or a runtime than the exports.",
        )


def _latency_cells(change: LatencyChange) -> list[str]:
    p50s = [
        MISSING if value is None else f"{value:,.{2 if value < 100 else 1}f}"
        for value in (change.old_us, change.new_us)
    ]
    ratio = change.ratio
    if ratio is None:
        return [*p50s, *[MISSING] * 4]
    ends = "…".join(f"{(end - 1) * 100:+.1f}" for end in (ratio.low, ratio.high))
    return [*p50s, f"{ratio.value - 1:+.1%}", ends, _p(ratio.p), change.kind or ""]


def _same(console: Console, count: int, table: Table, what: str) -> None:
    """Says how many rows did not change, of which a table has only those that did."""
    if count:
        rows = f"row{'s' * (count != 1)}"
        which = f"the other {count} {rows}" if table.row_count else f"all {count} {rows}"
        say(console, f"The same {what} in {which}.")


def _print(console: Console, table: Table) -> None:
    console.print()
    console.print(table)


def _p(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"

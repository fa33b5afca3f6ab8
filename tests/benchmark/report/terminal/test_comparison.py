import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.report.terminal.comparison import render_changes
from benchmark.results.compare import find_changes
from tests.benchmark.recorded import Content, changed, content, row, run
from tests.benchmark.results.test_latency_changes import slowed


def shown(old: Content, new: Content, folder: Path, *, terminal: bool = False) -> str:
    text = io.StringIO()
    console = Console(file=text, width=80, force_terminal=terminal, color_system=None)
    changes = find_changes(run(old, folder, "old.json"), run(new, folder, "new.json"))
    render_changes(changes, console)
    return text.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


def line(text: str, name: str) -> list[str]:
    """The words of the last line that starts with a row's name: that of the latency."""
    return [found for found in text.splitlines() if found.split()[:1] == [name]][-1].split()


def test_no_change_is_said_first_and_by_kind(tmp_path: Path) -> None:
    text = shown(content(), content(), tmp_path)
    assert text.startswith("0 of 3 rows changed.\nNothing got worse.\n")
    assert "The same size and gzip in all 3 rows." in text
    assert "The same prediction of every image in all 3 rows." in text
    assert line(text, "first")[-2:] == ["1.000", "noise"]
    assert "differ by a few percent anyway" in text


def test_every_kind_of_change_is_counted_and_shown(tmp_path: Path) -> None:
    def change(found: Content) -> None:
        first, second, third = found["results"]
        first |= {"size_bytes": 1_234, "verdict": "fail", "reasons": ["too [bad]\x1b[2J"]}
        second["predicted"] = row("", wrong=range(160))["predicted"]
        third["name"] = "fourth"

    text = shown(content(), slowed(changed(change), "first", 1.2), tmp_path)
    assert text.splitlines()[0] == (
        "4 of 4 rows changed: 1 removed, 1 added, 1 worse verdict, 1 less accurate, 1 slower, "
        "1 other size."
    )
    assert text.splitlines()[1] == (
        "Worse: first (worse verdict, slower), second (less accurate), third (removed)."
    )
    assert "third: only in the old file: pass" in text
    assert "fourth: only in the new file: pass" in text
    assert "first: verdict pass → fail: too [bad] [2J" in text
    assert "1,000 1,234      900      900" in text
    # where nothing is gained, Tango's interval is Wilson's of what is lost
    assert "90.00 84.00    60   60      0 4.69…7.65 <0.001" in text
    assert line(text, "first")[1:4] == ["10.00", "12.00", "+20.0%"]
    assert line(text, "first")[-1] == "slower"
    assert "corrected for 2 rows (Holm)" in text


def test_another_machine_is_one_sentence(tmp_path: Path) -> None:
    new = changed(lambda found: found["environment"].update(cpu="Other CPU", cores=4))
    text = shown(content(), new, tmp_path)
    assert text.startswith("0 of 3 rows changed. Not compared: latencies (another machine).")
    assert (
        "Latencies are not compared: got another machine, processor Some CPU → Other CPU; "
        "cores 2 → 4; measure both on the same one."
    ) in text
    assert "µs" not in text


def test_other_data_is_said(tmp_path: Path) -> None:
    new = changed(lambda found: found["data"].update(sha256="c" * 64))
    text = shown(content(), new, tmp_path)
    assert text.startswith("0 of 3 rows changed. Not compared: predictions (other test data).")
    assert "got other test data, 1,000 images (bbbbbbbbbbbb…) → 1,000 (cccccccccccc…)" in text
    assert "-2.64…2.64" in text


def test_what_cannot_carry_a_test_is_a_dash(tmp_path: Path) -> None:
    def quick(found: Content) -> None:
        found["settings"] |= {"launches": 1}

    text = shown(content(), changed(quick), tmp_path)
    assert "Not compared: latencies of 3 rows (too few launches)." in text
    assert line(text, "first") == ["first", "10.00", "10.00", *["–"] * 4]
    assert "fewer than 3 undisturbed launches" in text
    assert "Holm" not in text


def test_a_shift_of_all_rows_alike_points_to_the_machine(tmp_path: Path) -> None:
    new = content()
    for name in ("first", "second", "third"):
        assert "Every row" not in shown(content(), new, tmp_path)
        new = slowed(new, name, 1.2)
    assert "Every row is slower: more likely the machine" in shown(content(), new, tmp_path)


@pytest.mark.parametrize("terminal", [True, False])
def test_tables_fit_80_columns_without_cutting(terminal: bool, tmp_path: Path) -> None:
    name = "tflite-int8-pruned-clustered"
    old = content(row(name, 1234.5, wrong=range(1_000)))
    (before,) = old["results"]
    new = content({**row(name, 1834.5), "size_bytes": 12_345_678, "gzip_bytes": 11_345_678})
    before |= {"size_bytes": 12_345_679, "gzip_bytes": 11_345_679}
    text = shown(old, new, tmp_path, terminal=terminal)
    rows = [found for found in text.splitlines() if found.startswith(name) and "→" not in found]
    assert len(rows) == 3
    assert max(map(len, rows)) <= 80
    assert "-91.71…-87.98" in rows[1]
    assert rows[2].split()[1:3] == ["1,234.5", "1,834.5"]
    assert "12,345,679 12,345,678 11,345,679 11,345,678" in rows[0]
    if terminal:
        assert max(map(len, text.splitlines())) <= 80

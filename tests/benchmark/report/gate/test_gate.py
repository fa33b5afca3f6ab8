"""What fails a gate, and how CI servers and GitHub are told."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from benchmark.report.gate.gate import Gate, fail_on
from benchmark.report.gate.junit import junit_xml
from benchmark.report.gate.step_summary import add_step_summary, summary_text
from benchmark.results.compare import find_changes
from tests.benchmark.recorded import Content, content, row, run
from train.common.errors import ToolkitError

SIZE, DROP = "file of 3.0 kB is above 1 kB", "accuracy drops by 0.90 points"


def judged(name: str, **verdicts: str) -> Content:
    """A row that is judged by a drop, its size and whatever is given beside them."""
    reasons = {"size": SIZE, "drop": DROP}
    checks = [
        {
            "name": check,
            "verdict": verdict,
            "reasons": [] if verdict == "pass" else [reasons[check]],
        }
        for check, verdict in {"drop": "pass", "size": "pass", **verdicts}.items()
    ]
    found = {check["verdict"] for check in checks}
    verdict = next(v for v in ("fail", "inconclusive", "pass") if v in found)
    told = [reason for check in checks for reason in check["reasons"]]
    return {**row(name), "verdict": verdict, "reasons": told, "checks": checks}


NEW = (judged("a", size="fail"), judged("b", drop="inconclusive"), judged("c"))


def gate(folder: Path, asked: Sequence[str] = (), old: Content | None = None) -> Gate:
    new = run(content(*NEW), folder, "new.json")
    changes = None if old is None else find_changes(run(old, folder, "old.json"), new)
    chosen = fail_on(asked, compared=old is not None, measured=True)
    return Gate(run=new, changes=changes, fail_on=chosen)


def cases(found: Gate) -> dict[tuple[str, str], Element]:
    root = fromstring(junit_xml(found))  # noqa: S314
    made = list(root.iter("testcase"))
    assert int(root.get("tests", "")) == len(made)
    assert int(root.get("failures", "")) == len(list(root.iter("failure")))
    return {(case.get("classname", ""), case.get("name", "")): case for case in made}


@pytest.mark.parametrize(
    ("asked", "rows", "code"),
    [
        ([], "abc", 1),
        (["inconclusive"], "abc", 1),
        (["fail"], "abc", 1),
        (["fail"], "bc", 0),
        (["inconclusive"], "bc", 1),
        ([], "bc", 1),
        ([], "c", 0),
        (["regression"], "abc", 0),
    ],
)
def test_the_exit_code_is_of_what_was_asked_for(
    tmp_path: Path, asked: list[str], rows: str, code: int
) -> None:
    new = run(content(*(row for row in NEW if row["name"] in rows)), tmp_path)
    chosen = fail_on(asked, compared=False, measured=True)
    assert Gate(run=new, changes=None, fail_on=chosen).exit_code == code


def test_what_got_worse_fails_by_default_and_not_if_only_failures_are_asked_for(
    tmp_path: Path,
) -> None:
    old = content(judged("c"), judged("gone"))
    assert gate(tmp_path, old=old).worse == {"gone": ("removed",)}
    assert gate(tmp_path, ["regression"], old).exit_code == 1
    assert gate(tmp_path, ["regression"], content(judged("c"))).exit_code == 0
    found = run(content(judged("c")), tmp_path)
    changes = find_changes(run(old, tmp_path, "old.json"), found)
    assert Gate(run=found, changes=changes, fail_on=("fail",)).exit_code == 0
    # of two files that are only read, verdicts decide nothing unless that is asked for
    assert fail_on([], compared=True, measured=False) == ("regression",)


def test_there_is_a_case_for_each_row_and_check_and_failures_say_why(tmp_path: Path) -> None:
    found = cases(gate(tmp_path))
    assert list(found) == [(name, check) for name in "abc" for check in ("drop", "size")]
    (failure,) = found["a", "size"]
    assert (failure.tag, failure.get("message")) == ("failure", f"fail: {SIZE}")
    assert failure.text == SIZE
    assert found["b", "drop"][0].get("type") == "inconclusive"
    assert [len(case) for case in found.values()] == [0, 1, 1, 0, 0, 0]


def test_what_does_not_fail_the_gate_is_skipped_with_its_reason(tmp_path: Path) -> None:
    found = cases(gate(tmp_path, ["fail"]))
    (skipped,) = found["b", "drop"]
    assert (skipped.tag, skipped.get("message")) == ("skipped", f"inconclusive: {DROP}")
    assert found["a", "size"][0].tag == "failure"


def test_a_row_that_is_gone_is_a_case_too(tmp_path: Path) -> None:
    found = cases(gate(tmp_path, old=content(judged("c"), judged("gone"))))
    assert "removed" in (found["gone", "regression"][0].text or "")
    assert len(found["c", "regression"]) == 0
    assert [name for name, check in found if check == "regression"] == ["a", "b", "c", "gone"]


def test_a_row_of_a_file_that_knows_no_checks_is_one_case(tmp_path: Path) -> None:
    old = {**row("a"), "verdict": "error", "reasons": ["<it> & is\x1b gone"]}
    found = Gate(run=run(content(old), tmp_path), changes=None, fail_on=("fail",))
    (case,) = cases(found).values()
    assert (case[0].tag, case[0].text) == ("error", "<it> & is  gone")


def test_githubs_summary_has_the_table_and_the_verdicts(tmp_path: Path) -> None:
    text = summary_text(gate(tmp_path, old=content(judged("c"), judged("gone"))))
    assert text.startswith("## Benchmark of the exports: failed\n")
    assert [line[:5] for line in text.splitlines() if line.startswith("| ")] == [
        *("| for", "| a |", "| b |", "| c |"),
    ]
    assert f"- ✗ a: fail: {SIZE}" in text
    assert "gone (removed)" in text


def test_githubs_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    add_step_summary(gate(tmp_path), file)
    assert file.read_text().startswith("before\n## Benchmark")
    with pytest.raises(ToolkitError, match=r"cannot be written: Is a directory; .* are kept"):
        add_step_summary(gate(tmp_path), tmp_path)

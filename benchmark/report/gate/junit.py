"""JUnit XML, as CI servers read it: a suite for each row, in it a case for each check.

Checks have the same names in every run, so that a server can tell since when one fails.
https://github.com/testmoapp/junitxml describes what servers agree on.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from benchmark.judge.evidence import Check
from benchmark.report.gate import REGRESSION
from benchmark.report.gate.gate import Gate
from benchmark.results.row import Row

SUITES = "python -m benchmark"


def junit_xml(gate: Gate) -> str:
    """Returns the XML.

    What fails the gate is a failure or an error, what else does not pass is skipped; each says why.
    """
    root = Element("testsuites", name=SUITES)
    rows = {row.name: row for row in gate.run.results}
    for name in dict.fromkeys([*rows, *gate.worse]):
        suite = SubElement(root, "testsuite", name=name, timestamp=gate.run.created)
        row = rows.get(name)
        if row is not None:
            _add_checks(suite, row, gate)
        if gate.changes is not None:
            _add_regression(suite, name, gate)
        _count(suite, [suite])
        said = [] if row is None else [*_beside_checks(row), *row.explanations]
        if said:
            SubElement(suite, "system-out").text = "\n".join(said)
    _count(root, list(root))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def checks_of(row: Row) -> Iterator[Check]:
    """Yields what a row was judged by; of a file of earlier versions, its verdict as a whole."""
    if not row.checks:
        yield Check(name="verdict", verdict=row.verdict, reasons=row.reasons)
    yield from row.checks


def _beside_checks(row: Row) -> list[str]:
    """Returns the reasons that are of no check: what is likely to be wrong with a failed row."""
    return [
        reason
        for reason in row.reasons
        if not any(reason.endswith(known) for each in checks_of(row) for known in each.reasons)
    ]


def _add_checks(suite: Element, row: Row, gate: Gate) -> None:
    for each in checks_of(row):
        case = SubElement(suite, "testcase", classname=row.name, name=each.name)
        if each.verdict == "pass":
            continue
        kind = "skipped"
        if gate.stops(each.verdict):
            kind = "error" if each.verdict == "error" else "failure"
        _explain(case, kind, each.verdict, "; ".join(each.reasons))


def _add_regression(suite: Element, name: str, gate: Gate) -> None:
    case = SubElement(suite, "testcase", classname=name, name=REGRESSION)
    if kinds := gate.worse.get(name):
        kind = "failure" if REGRESSION in gate.fail_on else "skipped"
        old = "" if gate.changes is None else gate.changes.old.path
        _explain(case, kind, REGRESSION, f"{', '.join(kinds)}, against {old}")


def _explain(case: Element, kind: str, verdict: str, text: str) -> None:
    found = SubElement(case, kind, message=f"{verdict}: {text}")
    if kind != "skipped":
        found.set("type", verdict)
        found.text = text


def _count(element: Element, suites: list[Element]) -> None:
    for name, tag in (
        *(("tests", "testcase"), ("failures", "failure"), ("errors", "error")),
        ("skipped", "skipped"),
    ):
        element.set(name, str(sum(len(list(suite.iter(tag))) for suite in suites)))

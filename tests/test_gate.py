"""The gate as CI runs it: the workflow in benchmark/README.md, and what it refuses."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
import yaml

from tests.commands import GATE, REPOSITORY, assert_one_line_error, run_in_process

README = REPOSITORY / "benchmark" / "README.md"
WORKFLOW = re.compile(r"^    name: exports\n(?:    .*\n)+", re.MULTILINE)


def workflow() -> dict[str, Any]:
    """The workflow that a user copies."""
    (text,) = WORKFLOW.findall(README.read_text())
    found: dict[str, Any] = yaml.safe_load(re.sub(r"^    ", "", text, flags=re.MULTILINE))
    return found


def lines() -> list[str]:
    """What its steps run, in their order."""
    return [step["run"] for step in workflow()["jobs"]["gate"]["steps"] if "run" in step]


def test_the_workflow_is_one_that_github_takes() -> None:
    found = workflow()
    assert set(found) == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads `on` as true
    (job,) = found["jobs"].values()
    assert set(job) <= {"runs-on", "env", "steps"}
    for step in job["steps"]:
        assert len({"run", "uses"} & set(step)) == 1, step
        assert set(step) <= {"run", "uses", "with", "name", "if", "continue-on-error"}, step
    for line in lines():
        subprocess.run(["bash", "-n", "-c", line], check=True)


def test_what_it_sets_up_is_what_the_makefile_has() -> None:
    (setup,) = (line for line in lines() if line.startswith("make "))
    target = setup.split()[1]
    assert f"\n{target}: " in (REPOSITORY / "Makefile").read_text()


@pytest.mark.slow
def test_its_lines_run_against_an_earlier_run(benchmarked_artifacts: Path, tmp_path: Path) -> None:
    """On the small model, which needs lower limits, with fewer calls; GitHub's own line aside."""
    (tmp_path / "artifacts").symlink_to(benchmarked_artifacts.with_name("gate"))
    artifacts = tmp_path / "artifacts"
    artifacts.resolve().mkdir()
    for path in benchmarked_artifacts.iterdir():
        if path.name.startswith(("model.", "tflite-int8.", "onnx-int8.")):
            (artifacts / path.name).write_bytes(path.read_bytes())
    earlier = json.loads((benchmarked_artifacts / "benchmark.json").read_text())
    earlier["results"] = [
        row for row in earlier["results"] if row["format"] in ("tflite-int8", "onnx-int8")
    ]
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "benchmark.json").write_text(json.dumps(earlier))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{REPOSITORY}:{os.environ.get('PYTHONPATH', '')}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    export, benchmark = (line for line in lines() if line.startswith("python "))
    said = []
    for line in (export, f"{benchmark} --quick {' '.join(GATE)}"):
        done = subprocess.run(
            ["bash", "-e", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(done.stdout)
    assert said[0].count("is up to date") == 2
    assert "Nothing got worse." in said[1]
    suites = fromstring((artifacts / "benchmark.xml").read_text())  # noqa: S314
    assert [suite.get("name") for suite in suites] == ["tflite-int8", "onnx-int8"]
    names = {case.get("name") for case in suites.iter("testcase")}
    assert names >= {"accuracy", "drop", "as_verified", "regression"}
    assert "benchmark of the exports: passed" in (tmp_path / "summary.md").read_text().lower()
    card = (artifacts / "benchmark.card.md").read_text()
    assert "Fashion-MNIST: 54,000 examples" in card


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").mkdir()
    done = run_in_process("benchmark", "--junit", tmp_path / "junit.xml")
    assert_one_line_error(done, "got a folder at", "expected a file or nothing")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--fail-on", "regression"], "without --compare, expected an earlier results file"),
        (["--fail-on", "never"], "got 'never', expected fail, inconclusive, regression"),
        (["--compare", "a", "b", "c"], "got 3 files with --compare, expected one"),
        (["--compare", "absent.json"], "absent.json: No such file or directory; give a file"),
        (["--junit", "README.md/x.xml"], "cannot write to the folder README.md"),
        (["--junit", "artifacts/benchmark.json"], "expected a name that ends in .xml"),
        (["--junit", "x.xml", "--merge", "a.json"], "expected a run of this machine"),
        (["--fail-on", "fail", "--host", "me@there"], "expected a run of this machine"),
        (["--compare", "a.json", "b.json", "--quick"], "expected --junit and --fail-on at most"),
    ],
)
def test_what_a_gate_cannot_do_is_said_before_anything_is_measured(
    arguments: list[str], expected: str
) -> None:
    done = run_in_process("benchmark", *arguments)
    assert_one_line_error(done, expected)
    assert done.out == ""

"""A run on another machine, with a script in ssh's place; tests/test_device.py has a real sshd."""

import json
import os
import shlex
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from export.deploy.bundle.build import BundleConfig, write_bundle
from tests.bundles import write_inputs
from tests.commands import REPOSITORY, Completed, assert_one_line_error, run_module

HELLO = json.dumps({"python": [3, 11, 2], "missing": []})
OLD = json.dumps({"python": [3, 9, 2], "missing": []})
BARE = json.dumps({"python": [3, 11, 2], "missing": ["rich"]})
# What comes after ssh's last option is the host and one command for its shell.
HERE = 'for last; do :; done; exec sh -c "$last"'


@pytest.fixture
def config(tmp_path: Path) -> BundleConfig:
    return write_inputs(tmp_path)


def run_with_ssh(script: str, config: BundleConfig, *arguments: str | Path) -> Completed:
    """Runs `--host pi` with a shell script as ssh."""
    folder = config.artifacts.with_name("bin")
    folder.mkdir(exist_ok=True)
    (folder / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ssh").chmod(0o755)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmark", "--host", "pi", "--artifacts", config.artifacts),
            *("--data", str(config.data), *arguments),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Completed(code=done.returncode, out=done.stdout, err=done.stderr)


def test_the_agent_runs_a_bundle_and_cleans_up(config: BundleConfig, tmp_path: Path) -> None:
    """The exports here are no models: their rows are errors, the verdict is exit code 1."""
    (tmp_path / "device").mkdir()
    script = f"export TMPDIR={shlex.quote(str(tmp_path / 'device'))}\necho Welcome!\n{HERE}"
    done = run_with_ssh(script, config, "--quick", "--remote-python", sys.executable)
    assert done.code == 1, done.out + done.err
    assert "tflite-int8: error: " in done.out
    assert "All figures, as a page" not in done.out
    found = json.loads((config.artifacts / "hosts" / "pi.json").read_text())
    assert [row["verdict"] for row in found["results"]] == ["error", "error"]
    assert len(found["source"]["predicted"]) == 30
    assert (config.artifacts / "hosts" / "pi.html").is_file()
    assert not (config.artifacts / "hosts" / "pi.partial").exists()
    assert list((tmp_path / "device").glob("edge-export-*")) == []
    assert not (config.artifacts / "benchmark.json").exists()


def test_a_bundle_made_earlier_goes_without_what_it_got_since(config: BundleConfig) -> None:
    write_bundle(config)
    archive = config.target.with_name("edge.tar.gz")
    write_bundle(replace(config, target=archive))
    older = config.target / "artifacts" / "benchmark.json"
    older.write_text("{}")
    for given in (config.target, archive):
        done = run_with_ssh(
            *(HERE, config, "--quick", "--remote-python", sys.executable, "--bundle", given),
            *("--format", "onnx-float32"),
        )
        assert done.code == 1, done.err
        found = json.loads((config.artifacts / "hosts" / "pi.json").read_text())
        assert [row["name"] for row in found["results"]] == ["onnx-float32"]
    assert older.read_text() == "{}"
    saved = config.target.with_name("sent.tar.gz")
    take = 'read -r agent; read -r asked; size=${asked#*: }; head -c "${size%%,*}"'
    run_with_ssh(f"echo '{HELLO}'; {take} > {saved}", config, "--bundle", config.target)
    with tarfile.open(saved) as sent:
        names = sent.getnames()
    assert "bundle/artifacts/onnx-float32.json" in names
    assert "bundle/artifacts/benchmark.json" not in names


def test_an_error_there_is_an_error_here(config: BundleConfig) -> None:
    arguments = ["--remote-python", sys.executable, "--format", "onnx-int8"]
    arguments += ["--bundle", str(config.target)]
    done = run_with_ssh(HERE, config, *arguments)
    assert_one_line_error(done, "is not there; make it with")
    write_bundle(config)
    done = run_with_ssh(HERE, config, *arguments)
    assert_one_line_error(done, "no onnx-int8 in artifacts")
    assert list((config.artifacts / "hosts").iterdir()) == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'ssh: no route' >&2; exit 255", "pi does not answer as expected: ssh: no route"),
        ("exit 255", "it said nothing; try `ssh pi 'python3 --version'`"),
        ("echo 'sh: python3: not found' >&2; exit 127", "pi lacks Python: got 'sh: python3: not"),
        (f"echo '{OLD}'", "got Python 3.9.2 as python3, expected 3.11"),
        (f"echo '{BARE}'", "pi lacks rich; run `ssh pi 'python3 -m"),
        ("""echo '{"python": "new"}'""", "answers, but not with its version"),
        (f"echo '{HELLO}'; echo 'Broken pipe' >&2; exit 255", "was cut off (Broken pipe); nothing"),
        (
            f"""echo '{HELLO}'; echo '{{"partial": "../x", "content": ""}}'; cat > /dev/null""",
            "the other machine sent '../x', 0 bytes, expected the benchmark's results",
        ),
        (
            f"""echo '{HELLO}'; echo '{{"problem": "No space left"}}'; cat > /dev/null""",
            "pi: No space left; free its disk",
        ),
        (
            f"""echo '{HELLO}'; echo '{{"exit": -9}}'; cat > /dev/null""",
            "the benchmark on pi ended by -9",
        ),
    ],
)
def test_what_else_may_answer(config: BundleConfig, script: str, expected: str) -> None:
    assert_one_line_error(run_with_ssh(script, config), expected)
    assert not (config.artifacts.parent / "x").exists()
    assert not (config.artifacts / "hosts" / "pi.json").exists()


def test_what_came_back_before_the_end_is_kept(config: BundleConfig) -> None:
    kept = json.dumps({"partial": "run.json", "content": "e30="})
    done = run_with_ssh(f"echo '{HELLO}'; echo '{kept}'", config)
    partial = config.artifacts / "hosts" / "pi.partial"
    assert_one_line_error(done, f"what came back is in {partial}; the same command with --resume")
    assert (partial / "run.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--host", "me@"], "got 'me@', expected user@host or user@host:port"),
        (["--host", "pi", "--include-keras"], "got --host in a bundle, or with --include-keras"),
        (["--bundle", "x"], "got --bundle without --host"),
    ],
)
def test_bad_options(arguments: list[str], expected: str) -> None:
    assert_one_line_error(run_module("benchmark", *arguments), expected)

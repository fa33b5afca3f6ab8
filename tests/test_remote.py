"""`benchmark --host` with a real sshd on loopback, which this user starts for it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import GATE, REPOSITORY, Completed, assert_one_line_error, run_in_process
from train.common.command.progress import EVERY_STEP_VARIABLE

pytestmark = pytest.mark.slow
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SSH = shutil.which("ssh")
WAIT_S = 30
QUICK = ("--quick", *GATE)


@dataclass(frozen=True)
class Server:
    """A running sshd; `environment` holds an ssh that knows its keys."""

    process: subprocess.Popen[bytes]
    address: str
    environment: dict[str, str]

    def benchmark(self, *arguments: str | Path) -> list[str]:
        return [
            *(sys.executable, "-m", "benchmark", "--host", self.address),
            *map(str, arguments),
        ]

    def run(self, *arguments: str | Path) -> Completed:
        done = subprocess.run(
            self.benchmark(*arguments),
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Completed(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.benchmark(*arguments),
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An sshd of our own, as this user, on loopback, with keys made for it."""
    if SSHD is None or SSH is None:
        assert "REQUIRE_SSHD" not in os.environ, "openssh-server or -client is not installed"
        pytest.skip("openssh-server or openssh-client is not installed")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\n"
        f"PasswordAuthentication no\nSetEnv TMPDIR={folder}/device {EVERY_STEP_VARIABLE}=1\n"
    )
    (folder / "device").mkdir()
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/user\nIdentitiesOnly yes\n"
        f"UserKnownHostsFile {folder}/known\nStrictHostKeyChecking accept-new\n"
    )
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {SSH} -F {folder}/ssh_config "$@"\n')
    (folder / "bin" / "ssh").chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # which sshd wants of root
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    until = time.monotonic() + WAIT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until
        time.sleep(0.05)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    yield Server(
        process=process,
        address=f"{user}@127.0.0.1:{port}",
        environment={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
    )
    process.kill()
    process.wait()
    # the agent removes what it was sent; ONNX Runtime leaves a file of its own
    assert list((folder / "device").glob("edge-export-*")) == []


@pytest.fixture(scope="module")
def bundle(trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundle") / "edge"
    done = run_in_process(
        *("export", "--bundle", target, "--bundle-images", "all"),
        *("--format", "tflite-int8,onnx-int8", "--artifacts", trained_artifacts),
    )
    assert done.code == 0, done.err
    return target


def results_of(server: Server, artifacts: Path) -> Path:
    return artifacts / "hosts" / f"{server.address.partition('@')[2].replace(':', '-')}.json"


def test_a_run_by_ssh_brings_the_results_back(
    server: Server,
    artifacts: Path,
    bundle: Path,
    device_python: Path,
    benchmarked_artifacts: Path,
) -> None:
    done = server.run(
        *("--remote-python", device_python, "--artifacts", artifacts),
        *("--bundle", bundle, "--format", "tflite-int8,onnx-int8", *QUICK),
    )
    assert done.code == 0, done.out + done.err
    found = results_of(server, artifacts)
    assert sorted(path.name for path in found.parent.iterdir()) == sorted(
        f"{found.stem}.{suffix}" for suffix in ("json", "csv", "md", "html", "card.md")
    )
    here, there = (
        {row["name"]: row["predicted"] for row in json.loads(path.read_text())["results"]}
        for path in (benchmarked_artifacts / "benchmark.json", found)
    )
    assert there == {name: here[name] for name in ("tflite-int8", "onnx-int8")}
    assert any(line.startswith("tflite-int8 ") and "pass" in line for line in done.out.splitlines())
    assert f"Brought back: {found}" in done.out
    local = benchmarked_artifacts / "benchmark.json"
    merged = run_in_process("benchmark", "--merge", local, found)
    assert merged.code == 0, merged.err
    (row,) = (line for line in merged.out.splitlines() if line.startswith("onnx-int8"))
    assert row.split()[-1] == "0"


def test_the_verdict_there_is_the_exit_code_here(
    server: Server, artifacts: Path, device_python: Path
) -> None:
    arguments = ("--remote-python", device_python, "--artifacts", artifacts, "--quick")
    done = server.run(*arguments, "--format", "tflite-int8", "--baseline", "0.99")
    assert done.code == 1, done.err
    assert "tflite-int8: fail: accuracy " in done.out
    assert json.loads(results_of(server, artifacts).read_text())["data"]["labels"][:3] == [9, 2, 1]
    done = server.run(*arguments, "--format", "tflite-int8", "--max-size-kb", "0.1", *GATE)
    assert done.code == 2
    assert done.err.startswith("error: ")


@pytest.mark.parametrize("how", ["interrupted", "cut off"])
def test_what_came_back_of_a_run_that_ended_early_is_kept_and_gone_on_with(
    server: Server, artifacts: Path, device_python: Path, how: str
) -> None:
    arguments = (
        *("--remote-python", device_python, "--artifacts", artifacts, *GATE),
        *("--format", "tflite-int8", "--samples", "300000"),
    )
    process = server.start(*arguments)
    assert process.stdout is not None
    partial = results_of(server, artifacts).with_suffix(".partial")
    for line in process.stdout:
        if "timing" in line and (partial / "round-002.json").is_file():
            break
    else:
        pytest.fail(process.stderr.read() if process.stderr else "")
    if how == "interrupted":
        process.send_signal(signal.SIGINT)
    else:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        for child in children.read_text(encoding="utf-8").split():
            os.kill(int(child), signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == (130 if how == "interrupted" else 2)
    assert ("interrupted: " if how == "interrupted" else "was cut off") in err
    assert f"what came back is in {partial}" in err
    assert len(err.splitlines()) == 1
    kept = {path.name for path in partial.iterdir()}
    assert {"run.json", "tflite-int8+xnnpack+1t.output0.npy", "round-002.json"} <= kept
    assert not results_of(server, artifacts).exists()
    done = server.run(*arguments, "--resume")
    assert done.code == 0, done.out + done.err
    assert "timing, round 2" not in done.out.splitlines()
    assert not any(line.endswith((" round 1", " round 2")) for line in done.out.splitlines())
    assert results_of(server, artifacts).is_file()
    assert not partial.exists()


def test_a_machine_that_cannot_run_it_says_how_to_fix_it(
    server: Server, artifacts: Path, tmp_path: Path
) -> None:
    """A new environment has no packages at all; the command named is run as it is."""
    arguments = ("--artifacts", artifacts, "--format", "tflite-int8", *QUICK)
    done = server.run(*arguments, "--remote-python", "/nowhere/python")
    assert_one_line_error(done, "lacks Python", "/nowhere/python", "apt-get install python3")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    # --no-compile, which takes half of the time; a negative option is turned on by a falsy value
    (tmp_path / "venv" / "pip.conf").write_text("[install]\nno-compile = no\n")
    python = tmp_path / "venv" / "bin" / "python"
    done = server.run(*arguments, "--remote-python", python)
    assert_one_line_error(done, "lacks numpy, rich, jinja2, PIL, ai_edge_litert; run `ssh -p ")
    assert not (artifacts / "hosts").exists()
    command = done.err.partition("`")[2].partition("`")[0]
    subprocess.run(
        ["sh", "-c", command],
        cwd=REPOSITORY,
        env=server.environment,
        check=True,
        capture_output=True,
    )
    done = server.run(*arguments, "--remote-python", python)
    assert done.code == 0, done.out + done.err


def test_hosts_that_do_not_answer(server: Server, artifacts: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        nobody = Server(server.process, address, server.environment)
        done = nobody.run("--artifacts", artifacts)
    assert_one_line_error(done, "does not answer", "Connection refused", "try `ssh -p")
    stranger = Server(
        server.process, f"nobody-here@{server.address.partition('@')[2]}", server.environment
    )
    assert_one_line_error(stranger.run("--artifacts", artifacts), "Permission denied")
    without = Server(server.process, server.address, {**os.environ, "PATH": "/nowhere"})
    assert_one_line_error(without.run("--artifacts", artifacts), "no ssh on this machine")
    odd = Server(server.process, "-oProxyCommand=x", server.environment)
    assert_one_line_error(odd.run(f"--host={odd.address}"), "expected")
    assert not (artifacts / "hosts").exists()


def test_a_bundle_that_is_not_whole_does_not_leave(
    server: Server, artifacts: Path, bundle: Path, tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(bundle, tmp_path / "damaged"))
    (damaged / "train" / "common" / "command" / "cli.py").write_text("import os")
    (tmp_path / "garbled.tar.gz").write_text("nonsense")
    for path, expected in (
        (damaged, "cli.py was changed"),
        (tmp_path / "garbled.tar.gz", "cannot be unpacked"),
        (tmp_path / "absent", "is not there; make it with `python -m export --bundle`"),
    ):
        done = server.run("--artifacts", artifacts, "--bundle", path)
        assert_one_line_error(done, expected)

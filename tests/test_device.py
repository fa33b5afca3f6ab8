"""A bundle on a device: an environment with the device extra alone, and a real sshd on loopback."""

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
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.formats import FORMATS
from tests.conftest import GATE, REPOSITORY, Completed, assert_one_line_error, run_module

pytestmark = pytest.mark.slow
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
SSH = shutil.which("ssh")
WAIT_S = 30
QUICK = ("--quick", *GATE)


@pytest.fixture(scope="module")
def bundle(trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of every export with all test images."""
    target = tmp_path_factory.mktemp("bundle") / "edge"
    done = run_module(
        *("export", "--bundle", target, "--bundle-images", "all"),
        *("--artifacts", trained_artifacts),
    )
    assert done.code == 0, done.err
    return target


def run_on_device(python: Path, folder: Path, *arguments: str | Path) -> Completed:
    """Runs a command in a folder with nothing of this repository or environment."""
    done = subprocess.run(
        [python, *map(str, arguments)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Completed(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="module")
def device_results(bundle: Path, device_python: Path) -> dict[str, Any]:
    """The results of the bundle where only the device extra is."""
    done = run_on_device(device_python, bundle, "-m", "benchmark", *QUICK)
    assert done.code == 0, done.out + done.err
    found: dict[str, Any] = json.loads((bundle / "artifacts" / "benchmark.json").read_text())
    return found


def test_the_bundle_gives_the_table_of_the_host(
    trained_artifacts: Path, tmp_path: Path, device_results: dict[str, Any]
) -> None:
    artifacts = Path(shutil.copytree(trained_artifacts, tmp_path / "artifacts"))
    done = run_module("benchmark", "--artifacts", artifacts, *QUICK)
    assert done.code == 0, done.out + done.err
    here = json.loads((artifacts / "benchmark.json").read_text())
    assert [row["name"] for row in device_results["results"]] == list(FORMATS)
    assert device_results["data"] == here["data"]
    assert device_results["source"] == here["source"]
    measured = {"latency_us", "kernels", "explanations", "rounds_ns", "rounds_quiet", "profile"}
    measured |= {name for name in here["results"][0] if name.startswith(("load", "peak", "first"))}
    measured |= {"start_to_first_result_ms", "pinned", "call"}
    for there, row in zip(device_results["results"], here["results"], strict=True):
        assert there.keys() == row.keys()
        assert {k: v for k, v in there.items() if k not in measured} == {
            k: v for k, v in row.items() if k not in measured
        }


def test_predict_gives_what_the_benchmark_recorded(
    bundle: Path, device_python: Path, device_results: dict[str, Any], tmp_path: Path
) -> None:
    images = np.load(bundle / "data" / "images.npy")[:200]
    np.save(tmp_path / "images.npy", images)
    Image.fromarray(images[0]).save(tmp_path / "image.png")
    labels = device_results["data"]["classes"]
    for row in device_results["results"]:
        model = Path("artifacts", row["format"] + FORMATS[row["format"]].suffix)
        for file, count in (("images.npy", 200), ("image.png", 1)):
            done = run_on_device(device_python, bundle, "predict.py", model, tmp_path / file)
            assert done.code == 0, done.err
            found = [line.rsplit(" ", 1) for line in done.out.splitlines()]
            assert [name for name, _ in found] == [labels[k] for k in row["predicted"][:count]]
            assert all(0.1 < float(probability) <= 1 for _, probability in found)


def test_predict_refuses_bad_input_in_one_line(
    bundle: Path, device_python: Path, tmp_path: Path
) -> None:
    model = "artifacts/tflite-int8.tflite"
    np.save(tmp_path / "float.npy", np.zeros((28, 28), np.float32))
    np.save(tmp_path / "wide.npy", np.zeros((1, 28, 29), np.uint8))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "model.tflite").write_text("other bytes")
    shutil.copyfile(bundle / "artifacts" / "tflite-int8.json", tmp_path / "model.json")
    good = bundle / "data" / "images.npy"
    for arguments, expected in (
        ((model, tmp_path / "float.npy"), "got float32"),
        ((model, tmp_path / "wide.npy"), "expected uint8 (?, 28, 28)"),
        ((model, tmp_path / "object.npy"), "allow_pickle"),
        ((model, tmp_path / "text.png"), "cannot identify image"),
        ((model, tmp_path / "absent.npy"), "No such file"),
        (("artifacts/absent.tflite", good), "absent.json"),
        ((tmp_path / "model.tflite", good), "is for format 'tflite-int8'"),
        ((), "usage: python predict.py MODEL FILE"),
    ):
        done = run_on_device(device_python, bundle, "predict.py", *arguments)
        assert_one_line_error(done, expected)


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
        f"PasswordAuthentication no\nSetEnv TMPDIR={folder}/device\n"
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


def results_of(server: Server, artifacts: Path) -> Path:
    return artifacts / "hosts" / f"{server.address.partition('@')[2].replace(':', '-')}.json"


def test_a_run_by_ssh_brings_the_results_back(
    server: Server,
    artifacts: Path,
    bundle: Path,
    device_python: Path,
    device_results: dict[str, Any],
) -> None:
    done = server.run(
        *("--remote-python", device_python, "--artifacts", artifacts),
        *("--bundle", bundle, "--format", "tflite-int8,onnx-int8", *QUICK),
    )
    assert done.code == 0, done.out + done.err
    found = results_of(server, artifacts)
    assert sorted(path.name for path in found.parent.iterdir()) == sorted(
        f"{found.stem}.{suffix}" for suffix in ("json", "csv", "md", "html")
    )
    here = {row["name"]: row["predicted"] for row in device_results["results"]}
    there = {row["name"]: row["predicted"] for row in json.loads(found.read_text())["results"]}
    assert there == {name: here[name] for name in ("tflite-int8", "onnx-int8")}
    assert any(line.startswith("tflite-int8 ") and "pass" in line for line in done.out.splitlines())
    assert f"Brought back: {found}" in done.out
    merged = run_module("benchmark", "--merge", bundle / "artifacts" / "benchmark.json", found)
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
        for child in children.read_text().split():
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


def test_a_machine_that_cannot_run_it_says_what_mends_it(
    server: Server, artifacts: Path, tmp_path: Path
) -> None:
    """A new environment has no packages at all; the command named is run as it is."""
    arguments = ("--artifacts", artifacts, "--format", "tflite-int8", *QUICK)
    done = server.run(*arguments, "--remote-python", "/nowhere/python")
    assert_one_line_error(done, "lacks Python", "/nowhere/python", "apt-get install python3")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
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
    (damaged / "train" / "cli.py").write_text("import os")
    (tmp_path / "garbled.tar.gz").write_text("nonsense")
    for path, expected in (
        (damaged, "cli.py was changed"),
        (tmp_path / "garbled.tar.gz", "cannot be unpacked"),
        (tmp_path / "absent", "is not there; make it with `python -m export --bundle`"),
    ):
        done = server.run("--artifacts", artifacts, "--bundle", path)
        assert_one_line_error(done, expected)

"""The machine's disk, its command, and what is said when it does not come back; no boot."""

import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.arm.machine import QEMU, qemu_command, read_disk, run_emulated, write_disk
from tests.arm.root import BootFiles
from tests.commands import assert_one_line_error, run_in_process
from train.common.errors import ToolkitError

BOOT = BootFiles(kernel=Path("vmlinuz"), root=Path("root.cpio"))
COMMAND = ("python3.11", "-m", "benchmark", "--data", "a folder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "bundle"
    (found / "artifacts").mkdir(parents=True)
    (found / "artifacts" / "in.txt").write_text("in")
    return found


def fake_qemu(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a script in qemu's place; `$DISK` is the machine's."""
    program = folder / "bin" / QEMU
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nDISK={folder}/disk.tar\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def run(folder: Path, work: Path, results: Sequence[str] = ("artifacts/out.txt",)) -> str:
    ran = run_emulated(BOOT, folder, COMMAND, results, work=work, limit_s=30)
    return f"{ran.code} {ran.output}"


def test_the_disk_holds_the_folder_and_what_to_do(tmp_path: Path, folder: Path) -> None:
    disk = tmp_path / "disk.tar"
    records = write_disk(disk, folder, COMMAND, ("artifacts/out.txt",))
    assert not any(disk.read_bytes()[records * tarfile.RECORDSIZE :][:4096])
    with tarfile.open(disk, "r:") as archive:
        names = archive.getnames()
        script = archive.extractfile("command.sh")
        assert script is not None
        assert script.read().decode().splitlines() == [
            "export EDGE_EXPORT_EMULATED=1",
            "python3.11 -m benchmark --data 'a folder'",
        ]
    assert "./artifacts/in.txt" in names
    assert disk.stat().st_size % 512 == 0


def test_results_come_back(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
    mkdir -p $DISK.there && cd $DISK.there && tar xf $DISK && mkdir -p artifacts
    echo 1 > exit-code.txt; echo said > output.txt; cat artifacts/in.txt > artifacts/out.txt
    tar cf $DISK exit-code.txt output.txt $(cat results.txt)
    """
    fake_qemu(tmp_path, monkeypatch, script)
    assert run(folder, tmp_path) == "1 said\n"
    assert (tmp_path / "artifacts" / "out.txt").read_text() == "in"
    assert not (tmp_path / "disk.tar").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "stopped without a result; .*console.log says why"),
        ("echo no such machine >&2; exit 1", "failed: no such machine; see .*console.log"),
        (": > $DISK", "cannot be read .*console.log says why"),
    ],
)
def test_a_machine_that_does_not_come_back_is_one_line(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    fake_qemu(tmp_path, monkeypatch, script)
    with pytest.raises(ToolkitError, match=words) as error:
        run(folder, tmp_path)
    assert "\n" not in str(error.value)


def test_a_machine_that_hangs_is_ended(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_qemu(tmp_path, monkeypatch, "exec tail -f /dev/null")
    with pytest.raises(ToolkitError, match=r"not done after 0 s; .*console.log says how far"):
        run_emulated(BOOT, folder, COMMAND, (), work=tmp_path, limit_s=0.1)


def test_a_garbled_exit_code_is_no_result(tmp_path: Path, folder: Path) -> None:
    disk = tmp_path / "disk.tar"
    write_disk(disk, folder, COMMAND, ())
    with pytest.raises(ToolkitError, match="without a result"):
        read_disk(disk, tmp_path, tmp_path / "console.log")


def test_the_machine_is_a_raspberry_pi_4s_core() -> None:
    command = qemu_command(BOOT, Path("disk.tar"), Path("console.log"), 7)
    assert command[command.index("-cpu") + 1] == "cortex-a72"
    assert command[command.index("-accel") + 1].startswith("tcg")
    assert command[command.index("-append") + 1].endswith("INPUT_RECORDS=7")


def test_without_qemu_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run_in_process("tests.arm", "--artifacts", tmp_path)
    assert_one_line_error(done, f"got no {QEMU}", "apt-get install", "qemu-system-arm")


def test_without_a_model_one_line_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_qemu(tmp_path, monkeypatch, "exit 1")
    done = run_in_process("tests.arm", "--artifacts", tmp_path / "nothing")
    assert_one_line_error(done, "is not there", "run `python -m train`")


def test_too_few_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_qemu(tmp_path, monkeypatch, "exit 1")
    done = run_in_process("tests.arm", "--artifacts", tmp_path, "--bundle-images", "999")
    assert_one_line_error(done, "got --bundle-images 999, expected at least 1000")

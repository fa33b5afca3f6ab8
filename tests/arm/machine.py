"""The emulated ARM machine: a folder goes in, a command runs in it, results come out."""

import io
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.arm.root import BootFiles
from train.common.errors import ToolkitError

QEMU = "qemu-system-aarch64"
CPU = "cortex-a72"  # a Raspberry Pi 4's core
CORES, MEMORY_MIB = 2, 2048
ROOM_BYTES = 512 << 20  # sparse; what comes out may be so much longer than what goes in
LIMIT_S = 1800
# What says on the emulated machine that it is one; see train/common/environment.py.
EMULATED = {"EDGE_EXPORT_EMULATED": "1"}


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command came to: its exit code and what it printed."""

    code: int
    output: str


def check_qemu() -> None:
    """Raises ToolkitError unless qemu is there."""
    if shutil.which(QEMU) is None:
        raise ToolkitError(
            f"got no {QEMU}, expected it on the search path; "
            "run `apt-get install --no-install-recommends qemu-system-arm`"
        )


def run_emulated(
    boot: BootFiles,
    folder: Path,
    command: Sequence[str],
    results: Sequence[str],
    *,
    work: Path,
    limit_s: float = LIMIT_S,
) -> Ran:
    """Runs a command in a copy of a folder on the emulated machine; brings its results back.

    Args:
        boot: what the machine starts from.
        folder: what is copied in.
        command: what runs in it.
        results: what is copied out, names inside the folder.
        work: where the results, the disk and `console.log` go.
        limit_s: the longest that it may take, seconds.

    Raises:
        ToolkitError: no qemu here; the machine crashed, hung or gave nothing back.
    """
    check_qemu()
    disk, console = work / "disk.tar", work / "console.log"
    records = write_disk(disk, folder, command, results)
    try:
        done = subprocess.run(
            qemu_command(boot, disk, console, records),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolkitError(
            f"the emulated machine was not done after {limit_s:,.0f} s; {console} says how far it "
            "got; run `make arm` again when this machine has less to do"
        ) from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(f"{QEMU} failed: {said}; see {console}")
    found = read_disk(disk, work, console)
    disk.unlink()
    return found


def qemu_command(boot: BootFiles, disk: Path, console: Path, records: int) -> list[str]:
    """Returns the command that starts the machine; it ends when the machine turns itself off.

    Args:
        boot: what it starts from.
        disk: its disk.
        console: where its console goes.
        records: the length of the archive on the disk, in `tarfile.RECORDSIZE`.
    """
    return [
        *(QEMU, "-machine", "virt", "-cpu", CPU, "-smp", str(CORES), "-m", str(MEMORY_MIB)),
        *("-accel", "tcg,thread=multi", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-serial", f"file:{console}", "-kernel", str(boot.kernel), "-initrd", str(boot.root)),
        # a panic restarts at once, and -no-reboot makes an end of that
        *("-append", f"console=ttyAMA0 panic=-1 INPUT_RECORDS={records}"),
        *("-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe"),
        *("-device", "virtio-blk-device,drive=disk"),
    ]


def write_disk(disk: Path, folder: Path, command: Sequence[str], results: Sequence[str]) -> int:
    """Writes a folder and what to do in it as the machine's disk, a tar archive.

    Returns:
        The archive's length in `tarfile.RECORDSIZE`.
    """
    script = "".join(f"export {name}={value}\n" for name, value in EMULATED.items())
    orders = {
        "command.sh": f"{script}{shlex.join(command)}\n",
        "results.txt": "\n".join(results) + "\n",
    }
    with tarfile.open(disk, "w") as archive:
        archive.add(folder, ".")
        for name, text in orders.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    with disk.open("r+b") as file:
        length_bytes = file.seek(0, io.SEEK_END)
        file.truncate(length_bytes + ROOM_BYTES)
    return length_bytes // tarfile.RECORDSIZE


def read_disk(disk: Path, work: Path, console: Path) -> Ran:
    """Unpacks what the machine left on its disk into `work`; returns what its command came to.

    Raises:
        ToolkitError: it left nothing.
    """
    try:
        with tarfile.open(disk, "r:") as archive:
            # the first it writes; an archive that starts with another is the one that went in
            first = archive.next()
            if first is None or first.name != "exit-code.txt":
                raise ToolkitError(
                    f"the emulated machine stopped without a result; {console} says why"
                )
            archive.extractall(work, filter="data")
    except tarfile.TarError as error:
        raise ToolkitError(
            f"the emulated machine's disk cannot be read ({error}); {console} says why"
        ) from error
    return Ran(
        code=int((work / "exit-code.txt").read_text()),
        output=(work / "output.txt").read_text(errors="replace"),
    )

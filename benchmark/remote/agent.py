"""What `--host` runs on the other machine: takes a bundle, runs it, sends back what it gives.

Light: sent as text and run by whatever Python is there, so it is the standard library only, in
a Python that older versions can read. It says what is there; reads a line of JSON and a
`.tar.gz`; then sends lines of JSON: what the benchmark prints, the files that it writes, how it
ended. Its input's end means that nobody listens any more: it interrupts the benchmark, sends
what there is, and removes its folder.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

POLL_S = 1.0
PATIENCE_S = 20.0
RESULT = "benchmark.json"
PARTIAL = "benchmark.partial"
_writing = threading.Lock()


def say(**message: Any) -> None:
    """Sends a line of JSON; where nobody listens, it is lost."""
    with _writing, suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def main(modules: list[str]) -> int:
    """Serves one bundle; `modules` are what it needs to import."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    say(python=list(sys.version_info[:3]), missing=missing)
    header = sys.stdin.buffer.readline()
    if not header.endswith(b"\n"):
        return 1
    asked = json.loads(header)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="edge-export-")
    try:
        packed = sys.stdin.buffer.read(asked["size_bytes"])
        if len(packed) < asked["size_bytes"]:
            return 1
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(folder)  # noqa: S202 - made and checked by who sent it
        (bundle,) = Path(folder).iterdir()
        say(exit=run(bundle, asked["arguments"]))
    except OSError as error:
        say(problem=f"{error.strerror} ({error.filename or folder})")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def run(bundle: Path, arguments: list[str]) -> int:
    """Runs the benchmark in a bundle and sends what it prints and writes; returns its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "benchmark", *arguments],
        cwd=str(bundle),
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    readers = [
        threading.Thread(target=forward, args=(process.stdout, "out")),
        threading.Thread(target=forward, args=(process.stderr, "err")),
    ]
    for thread in readers:
        thread.start()
    threading.Thread(target=stop_at_end_of_input, args=(process,), daemon=True).start()
    sent: dict[str, float] = {}
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
                break
            send_files(bundle / "artifacts" / PARTIAL, "partial", sent)
        for thread in readers:
            thread.join()
        send_files(bundle / "artifacts" / PARTIAL, "partial", sent)
        path = bundle / "artifacts" / RESULT
        if path.is_file():
            send_file(path, "result")
    finally:
        process.kill()
    return process.returncode


def stop_at_end_of_input(process: subprocess.Popen[bytes]) -> None:
    """Waits for the end of the input, then ends the benchmark, which keeps what it has."""
    sys.stdin.buffer.read()
    process.send_signal(signal.SIGINT)
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def forward(stream: IO[bytes], kind: str) -> None:
    """Sends each line of a stream."""
    for line in stream:
        say(**{kind: line.decode("utf-8", "replace").rstrip("\n")})


def send_files(folder: Path, kind: str, sent: dict[str, float]) -> None:
    """Sends the finished files of a folder that were not sent yet as they are now."""
    for path in sorted(folder.glob("*")):
        if ".tmp" in path.name:
            continue
        with suppress(FileNotFoundError):  # the benchmark removes them when it is done
            written = path.stat().st_mtime
            if sent.get(path.name) != written:
                send_file(path, kind)
                sent[path.name] = written


def send_file(path: Path, kind: str) -> None:
    """Sends a file's name and content."""
    say(**{kind: path.name, "content": base64.b64encode(path.read_bytes()).decode("ascii")})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

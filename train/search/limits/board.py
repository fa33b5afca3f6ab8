"""A board's flash and RAM as limits; `export` knows the boards, and is asked as a process."""

import json
import subprocess
import sys
from dataclasses import replace

from train.common.errors import ToolkitError
from train.config import FitRequest
from train.limits import Kind, Limits, amount

MODULE = "export.cost"
# Formats, without a board or with one, whose latency nothing here tells.
UNTIMED = {("tflm", True), ("tflm", False), ("tflite-int8", False), ("onnx-int8", False)}


def with_board(request: FitRequest) -> FitRequest:
    """Returns a request whose limits are also those of its board.

    Raises:
        ToolkitError: there is no such board, or limits that it or the format has no figures for.
    """
    limits = request.limits
    if request.format == "onnx-int8" and "ram" in limits.needed:
        raise ToolkitError(
            "got a limit of RAM with --for onnx-int8, whose RAM ONNX Runtime does not tell, "
            "expected another; leave it out, or use --for tflite-int8"
        )
    if "latency" in limits.needed and (request.format, request.board is None) in UNTIMED:
        where = "" if request.board is None else f" with --board {request.board}"
        raise ToolkitError(
            f"got a limit of latency with --for {request.format}{where}, which cannot be timed "
            "here, expected another limit; leave it out, or use --for c"
        )
    if request.board is None:
        return request
    return replace(request, limits=_within_board(limits, request.board))


def _within_board(limits: Limits, board: str) -> Limits:
    """Returns limits with those of a board.

    Raises:
        ToolkitError: there is no such board, or a limit is beyond what it has.
    """
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--board", board],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["–"])[-1]
        raise ToolkitError(said.removeprefix("error: "))
    told = json.loads(done.stdout)
    most = dict(limits.most)
    has: tuple[tuple[Kind, float | None], ...] = (
        ("flash", told["flash_bytes"]),
        ("ram", told["ram_bytes"]),
    )
    if "latency" in limits.needed and told["mhz"] is None:
        raise ToolkitError(
            f"got a limit of latency for {told['name']}, a core without a clock, expected a board; "
            "give one with --board"
        )
    for kind, there in has:
        if there is None:
            continue
        if most.get(kind, 0) > there:
            raise ToolkitError(
                f"--fit: got {kind}={amount(kind, most[kind])}, expected no more than "
                f"{amount(kind, there)}, which {told['name']} has; lower it, or leave it out"
            )
        most.setdefault(kind, there)
    return replace(limits, most=most)

"""What untrained networks cost, as a process of `python -m export.cost` measures it.

The stages know only those before them, so that training asks another process, which exports each
network as it would be exported after training. One that crashes, as converters can, is started
again.
"""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Self, cast

from train.common.errors import ToolkitError
from train.common.files.artifact import content_sha256, write_json
from train.common.files.open import MAX_JSON_BYTES, parse_json, read_bounded
from train.limits import Kind, Limits, amount

REPOSITORY = Path(__file__).resolve().parents[3]
MODULE = "export.cost"
# Its answers' keys.
KEYS: Mapping[Kind, str] = {
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "latency": "latency_us",
    "multiplications": "multiplications",
}


MEASURED: tuple[Kind, ...] = ("flash", "ram", "latency")  # when asked for; the rest always is


class CostError(ToolkitError):
    """A network that cannot be exported to the format in question."""


class CostProcess:
    """A process that exports untrained networks; started when it is first asked."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the answer to a request.

        Raises:
            CostError: the network cannot be exported, or exporting it crashes.
            ToolkitError: the process cannot be started.
        """
        process = self._process or self._start()
        try:
            requests, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            line = answers.readline()
        except OSError:
            line = ""
        if not line:
            self._end()
            raise CostError("the converter crashed")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CostError(answer["error"])
        return answer

    def cost(self, request: Mapping[str, Any]) -> dict[Kind, float]:
        """Returns the costs that a network, or a file, has in some format; errors as of `ask`."""
        return _costs(self.ask(request))

    def _start(self) -> subprocess.Popen[str]:
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours; it ends with its pipe
        )
        if not cast(IO[str], process.stdout).readline():
            self._end()
            raise ToolkitError(f"python -m {MODULE} does not start; run it to see why")
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


class Costs:
    """Costs of networks in one format, for one board; what was measured once is kept in a file."""

    def __init__(
        self,
        process: CostProcess,
        *,
        target: Mapping[str, Any],
        needed: Sequence[Kind],
        file: Path,
    ) -> None:
        """Reads what was measured before.

        Args:
            process: what measures.
            target: `format` and `board` of the requests.
            needed: the costs that decide.
            file: where to keep them.
        """
        self._process = process
        self._request = {**target, "needs": [kind for kind in MEASURED if kind in needed]}
        self._file = file
        self._known: dict[str, Any] = {}
        try:
            found = parse_json(read_bounded(file, MAX_JSON_BYTES))
        except (OSError, ValueError, ToolkitError):
            found = None  # none yet, or cut off while it was written
        if isinstance(found, dict):
            self._known = found

    def of(self, identity: Mapping[str, Any], model: Path) -> dict[Kind, float]:
        """Returns a network's costs, the ones that the format has.

        Args:
            identity: what tells the network from others, plain values.
            model: its `.keras` file, trained or not.

        Raises:
            CostError: it cannot be exported; why is said, now or when it was first tried.
        """
        key = content_sha256({**self._request, "network": dict(identity)})
        if key not in self._known:
            try:
                answer = self._process.ask({**self._request, "model": str(model)})
            except CostError as error:
                answer = {"error": str(error)}
            self._known[key] = answer
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._file.with_suffix(".tmp")
            write_json(temporary, self._known)
            temporary.replace(self._file)
        answer = self._known[key]
        if "error" in answer:
            raise CostError(answer["error"])
        return _costs(answer)


def _costs(answer: Mapping[str, Any]) -> dict[Kind, float]:
    if "does_not_fit" in answer:  # a program so large that it has no size
        return {"flash": math.inf, "ram": math.inf}
    return {kind: answer[name] for kind, name in KEYS.items() if answer.get(name) is not None}


def within_board(limits: Limits, board: str) -> Limits:
    """Returns limits with those of a board.

    Raises:
        ToolkitError: there is no such board, or a limit is beyond what it has.
    """
    done = subprocess.run(
        [sys.executable, "-m", MODULE, "--board", board],
        cwd=REPOSITORY,
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

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
from pathlib import Path
from typing import IO, Any, Self, cast

from train.common.errors import ToolkitError
from train.common.files.artifact import content_sha256, write_json
from train.common.files.open import MAX_JSON_BYTES, parse_json, read_bounded
from train.limits import Kind

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
        self._code = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    @property
    def code(self) -> str:
        """A hash of what decides the costs; errors as of `ask`."""
        if self._process is None:
            self._start()
        return self._code

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
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours; it ends with its pipe
        )
        ready = cast(IO[str], process.stdout).readline()
        if ready:
            self._code = json.loads(ready)["code"]
        else:
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
        about = {**self._request, "code": self._process.code, "network": dict(identity)}
        key = content_sha256(about)
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

"""An agent on another machine, reached by ssh: lines of JSON in, lines of JSON out."""

import json
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from benchmark.remote.address import Address
from train.common.errors import ToolkitError

AGENT = Path(__file__).with_name("agent.py")
# Runs the first line of its input, so that the other machine's shell has nothing to quote.
BOOTSTRAP = "import json,sys;exec(json.loads(sys.stdin.buffer.readline()))"
MAX_LINE_BYTES = 300_000_000
NO_COMMAND = 127
END_S = 30


class Connection:
    """A running agent; leaving the context ends it and its ssh."""

    def __init__(self, address: Address, python: str, modules: Sequence[str]) -> None:
        """Starts ssh and sends it the agent.

        Args:
            address: the machine.
            python: the Python there, as its shell finds it.
            modules: what must be importable there.

        Raises:
            ToolkitError: this machine has no ssh.
        """
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving
        command = shlex.join([python, "-c", BOOTSTRAP, *modules])
        try:
            self._process = subprocess.Popen(
                [*address.ssh(), command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is ours, to end the run there in order
            )
        except FileNotFoundError as error:
            self._errors.close()
            raise ToolkitError(
                "--host: no ssh on this machine; install it (`sudo apt-get install openssh-client`)"
            ) from error
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self.send(json.dumps(AGENT.read_text(encoding="utf-8")).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._errors.close()

    def send(self, content: bytes) -> None:
        """Sends bytes; if nobody takes them, the answers will end."""
        with suppress(BrokenPipeError):
            self._requests.write(content)
            self._requests.flush()

    def finish(self) -> None:
        """Ends the agent's input, which makes it stop in order."""
        with suppress(BrokenPipeError):
            self._requests.close()

    def answers(self) -> Iterator[Mapping[str, Any]]:
        """Yields the agent's messages until it or the connection ends.

        Other lines, such as a login's greetings, are ignored.

        Raises:
            ToolkitError: a line is longer than any message.
        """
        while line := self._answers.readline(MAX_LINE_BYTES):
            if len(line) == MAX_LINE_BYTES:
                raise ToolkitError(
                    f"the other machine sent more than {MAX_LINE_BYTES:,} bytes in a line, "
                    "expected results; check what answers there"
                )
            with suppress(ValueError, RecursionError):
                message = json.loads(line)
                if isinstance(message, dict):
                    yield message

    def ending(self) -> tuple[int, str]:
        """Returns ssh's exit code and the last line that it or the shell there wrote to stderr."""
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return code, lines[-1].strip() if lines else "it said nothing"

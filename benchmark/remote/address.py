"""Where another machine is, and what to say when it lacks something."""

import re
import shlex
from dataclasses import dataclass

from train.common.errors import ToolkitError

ADDRESS = re.compile(
    r"(?P<user>[\w.][\w.-]*@)?(?P<host>\w[\w.-]*|\[[0-9a-fA-F:]+\])(:(?P<port>\d{1,5}))?"
)
CONNECT_TIMEOUT_S = 10
# ssh asks the other end after so many silent seconds, and gives up after three times.
ALIVE_INTERVAL_S = 10
DEFAULT_PYTHON = "python3"
INSTALL = "install --no-deps --require-hashes -r /dev/stdin"


@dataclass(frozen=True, kw_only=True)
class Address:
    """A machine that ssh reaches; `destination` is a host, or a user and a host."""

    destination: str
    port: int | None

    @property
    def name(self) -> str:
        """The host and the port, fit for a file's name."""
        host = self.destination.rpartition("@")[2].strip("[]").replace(":", "-")
        return host if self.port is None else f"{host}-{self.port}"

    def ssh(self) -> list[str]:
        """Returns the ssh command, without what to run there. It asks for nothing."""
        options = (
            *("BatchMode=yes", f"ConnectTimeout={CONNECT_TIMEOUT_S}"),
            *(f"ServerAliveInterval={ALIVE_INTERVAL_S}", "ServerAliveCountMax=3"),
        )
        port = [] if self.port is None else ["-p", str(self.port)]
        return [
            *("ssh", "-T"),
            *(part for option in options for part in ("-o", option)),
            *(*port, "--", self.destination.replace("[", "").replace("]", "")),
        ]

    def by_hand(self, command: str) -> str:
        """Returns the ssh command that a person types to run something there."""
        port = "" if self.port is None else f"-p {self.port} "
        return f"ssh {port}{self.destination} {shlex.quote(command)}"

    def installing(self, python: str) -> str:
        """Returns the command that installs there what is needed, and how to use it."""
        file = "requirements-device.txt"
        if python != DEFAULT_PYTHON:
            return f"run `{self.by_hand(f'{shlex.quote(python)} -m pip {INSTALL}')} < {file}`"
        command = f"{python} -m venv edge-export && edge-export/bin/pip {INSTALL}"
        return f"run `{self.by_hand(command)} < {file}`, then add --remote-python {VENV_PYTHON}"


VENV_PYTHON = "edge-export/bin/python"


def parse_address(text: str) -> Address:
    """Returns the machine that `user@host:port` names; user and port may be left out.

    Raises:
        ToolkitError: the text does not name a machine, or the port is out of range.
    """
    found = ADDRESS.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 1 <= port <= 65_535):
        raise ToolkitError(f"--host: got {text!r}, expected user@host or user@host:port")
    return Address(destination=(found["user"] or "") + found["host"], port=port)

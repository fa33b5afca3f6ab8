"""The address that `--serve` listens on, and how a phone reads it."""

import re
import socket
from contextlib import suppress

from train.common.errors import ToolkitError

LOOPBACK = "127.0.0.1"
ANY = ("0.0.0.0", "::")  # noqa: S104 - told apart here, listened on only where --listen says so
ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?")
ELSEWHERE = (
    "192.0.2.1",
    "2001:db8::1",
)  # RFC 5737, 3849; nothing is sent there


def parse_listen(text: str) -> tuple[str, int]:
    """Returns the address and the port, 0 for any that is free, of `ADDRESS[:PORT]`.

    Raises:
        ToolkitError: it is nothing such.
    """
    found = ADDRESS.fullmatch(text)
    port = int(found[3] or 0) if found else -1
    if found is None or port > 65_535:
        raise ToolkitError(
            f"--listen: got {text!r}, expected ADDRESS[:PORT], such as 0.0.0.0, 192.168.1.5:8000 "
            "or [::]:8000"
        )
    return found[1] or found[2], port


def reached_by(address: str) -> str:
    """Returns what others in the network reach an address of this machine by."""
    if address not in ANY:
        return address
    family = socket.AF_INET6 if address == "::" else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as found:
        found.connect((ELSEWHERE[ANY.index(address)], 9))
        return str(found.getsockname()[0])
    return socket.gethostname()


def picture_of(address: str, encoding: str) -> str:
    """Returns a QR code of an address as text, or where there can be none, what is missing.

    Args:
        address: the page's.
        encoding: of what the text is printed on.
    """
    try:
        "▀▄█".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ""
    try:
        import segno
    except ModuleNotFoundError:
        return "(`pip install segno` for a QR code of it)\n"
    from io import StringIO

    text = StringIO()
    segno.make(address, error="l", micro=False).terminal(text, border=2, compact=True)
    return text.getvalue()

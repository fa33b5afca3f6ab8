"""Why a library could not load or run a model, in one line. Light: standard library."""

import re

from export.convert.refusal import reason_of as first_line

CUSTOM = re.compile(
    r"(?:Could not locate (?:class|function)|Unknown [a-z ]+:) '?([\w>.]+)'?", re.ASCII
)
INNER = "Exception encountered: "
NOISE = re.compile(r"\s*(?:\.? ?Full object config: .*|using config=\{.*)$")


def reason_of(error: BaseException) -> str:
    """Returns the reason, with what to do where that is known.

    Keras nests its messages, the cause last, and appends the whole configuration to each.
    """
    text = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    custom = CUSTOM.search(text)
    if custom:
        return (
            f"it uses {custom[1]}, which is not of Keras; name the module that defines it with "
            "--custom-objects"
        )
    text = text.rpartition(INNER)[2].strip()
    line = NOISE.sub("", text.splitlines()[0]) if text else ""
    return first_line(Exception(line or type(error).__name__))

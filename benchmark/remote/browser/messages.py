"""What a page says, checked as a stranger's file is: every field by its type and its bounds."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np

from train.common.command.terminal import printable
from train.common.errors import ArtifactError
from train.common.files.decode import Array, Between, Decoder
from train.common.files.open import parse_json

MAX_ROWS = 10_000
MAX_TEXT = 300
DECODER = Decoder(
    remedy="check what opened the page", clean=lambda text: printable(text[:MAX_TEXT])
)
Index = Annotated[int, Between(0, MAX_ROWS)]
Count = Annotated[int, Between(1, 1e9)]
Milliseconds = Annotated[float, Between(0, 1e9)]
Durations = Annotated[np.ndarray, Array("int64", (int,), 1, 10**15, "a list of nanoseconds")]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Hello:
    """A browser that has opened the page.

    Attributes:
        user_agent: how it calls itself.
        isolated: whether the page is isolated from others, so that its clock is a fine one.
        clock_step_us: by how much the clock moves.
        cores: of the device.
        gpu: what WebGPU computes on; None without WebGPU.
    """

    user_agent: str
    isolated: bool
    clock_step_us: Annotated[float, Between(1e-3, 1e6)]
    cores: Annotated[int, Between(1, 4096)]
    gpu: str | None


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something about a row: what is being done with it, or why it cannot be run."""

    row: Index
    text: str


@dataclass(frozen=True, kw_only=True)
class Began(Said):
    """Something is being done with a row, which may take so long."""

    limit_ms: Milliseconds


@dataclass(frozen=True, kw_only=True)
class Scored:
    """All examples went through a row; `timer_ns` is what reading the clock takes."""

    row: Index
    timer_ns: Annotated[float, Between(0, 1e9)]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Timed calls of a row in a round, and in the first round of a worker what loading took.

    Attributes:
        durations_ns: (readings,) int64, each the mean of `calls` calls.
        probe_ns: a fixed piece of work, timed before and after; the slower.
    """

    durations_ns: Durations
    calls: Count
    warm_up_calls: Count
    stable: bool
    probe_ns: Count
    load_ms: Milliseconds | None = None
    first_inference_us: Milliseconds | None = None
    start_to_first_result_ms: Milliseconds | None = None


@dataclass(frozen=True, kw_only=True)
class RoundOf:
    """One round: a slice of each row, by the row's number in the job."""

    number: Index
    answers: dict[str, Slice]


@dataclass(frozen=True, kw_only=True)
class Broken:
    """The page gave up."""

    text: str


def decoded(kind: type[T], body: bytes) -> T:
    """Returns what a message holds.

    Raises:
        ArtifactError: it is something else.
    """
    try:
        content = parse_json(body)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"the page sent garbled JSON ({error}), expected {kind.__name__}; check what opened it"
        ) from error
    return DECODER.decode(kind, content, "the page's message")

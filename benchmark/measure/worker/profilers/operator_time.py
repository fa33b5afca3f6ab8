"""What a profiler says of one operator."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class OperatorTime:
    """One operator of the graph as the runtime runs it.

    Attributes:
        name: what the runtime calls the operator.
        node: the node's name in the graph; empty where the runtime keeps none.
        source: what ran it: a delegate, the runtime's own kernels, an execution provider.
        calls: how many times it was timed.
        mean_us: microseconds a call, of readings in whole microseconds.
    """

    name: str
    node: str
    source: str
    calls: int
    mean_us: float

    def as_json(self) -> dict[str, Any]:
        """Returns a JSON object of the fields."""
        return asdict(self)

"""The fewest operators in float that keep a model within its limits.

Errors of operators are about independent, and their powers add up: so the operators are taken in
the order of the error that each adds at the outputs, as many as it needs, and then each is
quantized again to see whether it was needed. Wu et al. 2020 (arXiv:2004.09602) order them likewise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Judged = TypeVar("Judged")
Judge = Callable[[frozenset[str]], Judged]
MOST_PRUNED = 24  # each costs a conversion and a run over all held-out examples


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An operator that may stay in float, and the share of the multiplications that it does."""

    name: str
    share: float


@dataclass(kw_only=True)
class Search(Generic[Judged]):
    """A search for a mixture.

    Attributes:
        choices: the operators, the one that adds most error first.
        judge: converts, runs and judges a mixture.
        within: whether what was judged is within the limits.
        max_share: the most multiplications that may stay in float, 0…1.
        tried: what was judged, by the names in float, in order.
    """

    choices: Sequence[Choice]
    judge: Judge[Judged]
    within: Callable[[Judged], bool]
    max_share: float
    tried: dict[frozenset[str], Judged] = field(default_factory=dict)

    def find(self) -> frozenset[str] | None:
        """Returns the names in float of the mixture found; None where none is within the limits."""
        nested = self._nested()
        if self._passes(nested[0]):
            return nested[0]
        failed, size = 0, 1
        while not self._passes(nested[min(size, len(nested) - 1)]):
            if size >= len(nested) - 1:
                return None
            failed, size = size, 2 * size
        passed = min(size, len(nested) - 1)
        while passed - failed > 1:
            middle = (passed + failed) // 2
            if self._passes(nested[middle]):
                passed = middle
            else:
                failed = middle
        return self._pruned(nested[passed])

    def _nested(self) -> list[frozenset[str]]:
        """Returns ever larger mixtures, an operator more each, as far as the share allows."""
        found: list[frozenset[str]] = [frozenset()]
        share = 0.0
        for choice in self.choices:
            if share + choice.share <= self.max_share:
                share += choice.share
                found.append(found[-1] | {choice.name})
        return found

    def _pruned(self, chosen: frozenset[str]) -> frozenset[str]:
        """Returns a mixture without the operators that it does as well without."""
        order = [each.name for each in self.choices if each.name in chosen]
        for name in order[::-1][:MOST_PRUNED]:  # the one that adds least error first
            if self._passes(chosen - {name}):
                chosen -= {name}
        return chosen

    def _passes(self, in_float: frozenset[str]) -> bool:
        if in_float not in self.tried:
            self.tried[in_float] = self.judge(in_float)
        return self.within(self.tried[in_float])

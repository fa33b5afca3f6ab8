"""A counting loop as steps of the program: where its states begin, and one round of its body."""

from dataclasses import replace

import numpy as np

from export.deploy.c.network import Network, Operator
from export.deploy.c.recurrent.loops import WAY_OUT, Loop
from export.deploy.c.steps.moves import SAME, read_places
from export.deploy.c.steps.step import Step, shape
from train.common.errors import ArtifactError

FIRST_ROW_LEFT_OUT = 3  # axes of a sequence: batch, steps, numbers


class Body:
    """What becomes of the tensors of a loop's body.

    Attributes:
        begin: the step before the first round, which sets the states.
        same: tensors of the body, and results of the loop, that are others, or parts of others.
        offsets: where such a part begins, in bytes, in C.
        carried: states, with what a round makes of them.
        skipped: operators that no step computes.
        overwritten: sequences that it begins with, and writes over whole.
    """

    def __init__(self, network: Network, loop: Loop) -> None:
        """Reads a loop.

        Raises:
            ArtifactError: it carries something that no layer of this toolkit does.
        """
        self._network, self._loop = network, loop
        self.same: dict[int, int] = {}
        self.offsets: dict[int, str] = {}
        self.carried: list[tuple[int, int]] = []
        self.skipped: list[Operator] = []
        self.overwritten: list[int] = []
        made_by = {each.outputs[0]: each for each in loop.body.operators}
        self.skipped.append(made_by[loop.body.outputs[loop.place]])
        before = Step(title=self._title(), code="", inputs=(), outputs=())
        for place, inside in enumerate(loop.body.inputs):
            given, result = loop.operator.inputs[place], loop.operator.outputs[place]
            after = loop.body.outputs[place]
            if place == loop.place:
                continue
            if after == inside:
                self.same |= {inside: given, result: given}
                continue
            row = self._row(inside, after, made_by)
            if row is not None:
                size = network.tensors[row].nbytes
                self.same[row], self.offsets[row] = result, f"{loop.round} * {size}"
                before = replace(before, outputs=(*before.outputs, result))
                self.overwritten.append(given)
                continue
            self.same[result] = inside
            self.carried.append((inside, after))
            before = self._with_state(before, given, inside)
        self.begin = before

    def row_offset(self, operator: Operator) -> str | None:
        """Returns where in a sequence the step begins that an operator reads; None if it does not.

        In bytes, in C.
        """
        loop, tensors = self._loop, self._network.tensors
        if operator.name != "GATHER" or operator.inputs[1] != loop.body.inputs[loop.place]:
            return None
        sequence, row = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
        steps = range(sequence.shape[1]) if len(sequence.shape) > 1 else range(0)
        options = operator.options
        if (
            options.axis != 1
            or options.batchDims
            or sequence.data is not None
            or not {loop.rounds[0], loop.rounds[-1]} <= set(steps)
        ):
            return None
        return f"{loop.counter} * {row.nbytes}"

    def _title(self) -> str:
        tensors = [self._network.tensors[i] for i in self._loop.operator.inputs]
        return f"WHILE of {len(self._loop.rounds)} rounds: {' + '.join(map(shape, tensors))}"

    def _with_state(self, before: Step, given: int, inside: int) -> Step:
        tensor = self._network.tensors[given]
        if tensor.data is None:
            line = f"memcpy({{t{inside}}}, {{t{given}}}, {tensor.nbytes});"
            inputs = (*before.inputs, given)
        else:
            content = np.frombuffer(tensor.data.tobytes(), np.int8)
            if np.any(content != content[0]):
                raise _strange(f"a state that begins with numbers that differ, {tensor.name!r}")
            line = f"memset({{t{inside}}}, {int(content[0])}, {tensor.nbytes});"
            inputs = before.inputs
        return replace(
            before,
            code=f"{before.code}\n{line}".strip(),
            inputs=inputs,
            outputs=(*before.outputs, inside),
        )

    def _row(self, inside: int, after: int, made_by: dict[int, Operator]) -> int | None:
        """Returns what is appended to a sequence that loses its first row; None if none is.

        After as many rounds as it has rows, row by row is what the rounds have made.
        """
        tensor = self._network.tensors[inside]
        if len(tensor.shape) != FIRST_ROW_LEFT_OUT or len(self._loop.rounds) != tensor.shape[1]:
            return None
        readers = [each for each in self._loop.body.operators if inside in each.inputs]
        last = made_by.get(after)
        if tensor.shape[1] == 1 and not readers and last is not None and last.name in SAME:
            return self._source(after, made_by)
        if last is None or last.name != "CONCATENATION" or last.options.axis != 1:
            return None
        rest = made_by.get(last.inputs[0])
        if rest is None or readers != [rest] or len(last.inputs) != 2:
            return None
        places = read_places(self._network, rest).reshape(-1)
        row = tensor.size // tensor.shape[1]
        if not np.array_equal(places, np.arange(row, tensor.size)):
            return None
        self.skipped += [last, rest]
        return self._source(last.inputs[1], made_by)

    def _source(self, row: int, made_by: dict[int, Operator]) -> int:
        """Returns what a row is another shape of."""
        while row in made_by and made_by[row].name in SAME:
            self.skipped.append(made_by[row])
            row = made_by[row].inputs[0]
        if row not in made_by or row in self._loop.body.outputs:
            raise _strange("a row that it does not compute, or carries on")
        return row


def _strange(what: str) -> ArtifactError:
    return ArtifactError(f"got a loop with {what}, expected states of zeros; {WAY_OUT}")

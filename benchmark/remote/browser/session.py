"""What is known of a run in a browser, and what the page's messages add to it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.conditions import Browser
from benchmark.measure.measured import InBrowser, collect
from benchmark.measure.session import Measured, OnProgress
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import Variant
from benchmark.remote.browser.job import (
    PageRow,
    PageRows,
    first_round,
    grouped,
    job_of,
    steps_of,
    tensor,
)
from benchmark.remote.browser.received import (
    Began,
    Hello,
    Outputs,
    RoundOf,
    Said,
    Scored,
    chunk_of,
    decoded,
    number_in,
)
from benchmark.remote.browser.server import Message
from export.data.test_data import Evaluation
from train.common.errors import ArtifactError, ToolkitError

MESSAGE_BYTES = 4 << 20
REFUSED_DTYPE = "is not supported"  # what LiteRT.js says of inputs and outputs of 8 and 16 bits
# A browser's name, its version in full, and whether it runs on this machine.
Named = Callable[[Hello], tuple[str, str, bool]]


class Session:
    """One run of all rows, over all pages that it takes."""

    def __init__(
        self,
        packages: Mapping[str, str],
        accelerator: str,
        together: int,
        variants: Sequence[Variant],
        settings: MeasureSettings,
        raw: PartialResults,
        test: Evaluation,
        on_progress: OnProgress,
    ) -> None:
        self._packages = packages
        self._accelerator = accelerator
        self._together = together
        self._variants = variants
        self._settings = settings
        self._raw = raw
        self._test = test
        self._on_progress = on_progress
        self._browser: Browser | None = None
        self._made: PageRows | None = None
        self._problems: dict[int, str] = {}
        self._outputs = Outputs(raw, test.reference)
        self._first_round = 0
        self._begun, self._steps = 0, 1
        self.doing: int | None = None
        self.limit_s = 0.0  # how long that may take
        self._answers: dict[str, Callable[[bytes], object]] = {
            "alive": lambda _: None,
            "began": self._began,
            "problem": self._problem,
            "scored": self._scored,
            "round": self._round,
            "finished": lambda _: None,
        }

    @property
    def _rows(self) -> list[PageRow]:
        return self._made.rows if self._made else []

    def produce(self, path: str) -> bytes | Path | None:
        """Returns a row's file, or a chunk of inputs; None where a path names neither."""
        kind, *parts = path.split("/")
        numbers = [number for number in map(number_in, parts) if number is not None]
        if kind == "models" and len(parts) == len(numbers) == 1:
            return self._rows[numbers[0]].variant.path if numbers[0] < len(self._rows) else None
        if kind == "inputs" and len(parts) == len(numbers) == 2 and self._made:
            return self._made.inputs(*numbers)
        return None

    @property
    def most_bytes(self) -> int:
        """How large a message may be."""
        return max(MESSAGE_BYTES, *map(_most_output_bytes, self._rows), 0)

    def answer(self, message: Message, named: Named) -> bytes:
        """Does what a message asks for and returns what it is answered, JSON.

        Args:
            message: what the page says.
            named: returns what the browser is called, by what it says of itself.

        Raises:
            ToolkitError: it is nothing that the page would say.
        """
        if message.kind == "hello":
            return json.dumps(self._hello(decoded(Hello, message.body), named)).encode()
        if message.kind.startswith("outputs/"):
            self._chunk(message.kind, message.body)
        elif message.kind in self._answers:
            self._answers[message.kind](message.body)
        else:
            raise ArtifactError(
                f"the page said {message.kind[:40]!r}, expected one of "
                f"{', '.join(self._answers)}; check what opened it"
            )
        return b"{}"

    def _hello(self, hello: Hello, named: Named) -> dict[str, Any]:
        name, version, here = named(hello)
        browser = Browser(
            name=name,
            version=version,
            user_agent=hello.user_agent,
            here=here,
            cores=hello.cores,
            isolated=hello.isolated,
            clock_step_us=hello.clock_step_us,
            accelerator=self._accelerator,
            gpu=hello.gpu,
            packages=dict(self._packages),
        )
        if self._accelerator == "webgpu" and hello.gpu is None:
            raise ToolkitError(
                f"--accelerator webgpu: {name} has no WebGPU here, expected one that has; leave it "
                "out to compute with WebAssembly"
            )
        if self._browser is not None and self._browser.name != name:
            raise ToolkitError(f"got {name}, expected {self._browser.name}, which was there before")
        if self._made is None:
            self._made = PageRows(
                self._variants,
                self._test.samples.inputs,
                self._test.reference,
                browser=name,
                accelerator=self._accelerator,
            )
        self._browser = browser
        self._first_round = first_round(name, self._accelerator)
        rows = self._rows
        left = [index for index in range(len(rows)) if index not in self._problems]
        unscored = {index for index in left if self._raw.row(rows[index].variant.key) is None}
        self._outputs.forget()
        job = job_of(
            rows,
            self._settings,
            accelerator=self._accelerator,
            together=self._together,
            left=left,
            unscored=unscored,
            done=[number - self._first_round for number in self._raw.rounds(self._numbers())],
        )
        self._begun, self._steps = 0, steps_of(job)
        return job

    def _numbers(self) -> range:
        count = len(grouped(self._rows, self._together)) * self._settings.rounds
        return range(self._first_round, self._first_round + count)

    def _row(self, index: int | None) -> PageRow:
        if index is None or index >= len(self._rows):
            raise ArtifactError(
                f"the page sent row {index}, expected one of {len(self._rows)}; check what opened "
                "it"
            )
        return self._rows[index]

    def _began(self, body: bytes) -> None:
        said = decoded(Began, body)
        self._row(said.row)
        self.doing, self.limit_s = said.row, said.limit_ms / 1e3
        self._begun += 1
        self._on_progress(said.text, min(1.0, self._begun / self._steps))

    def _problem(self, body: bytes) -> None:
        said = decoded(Said, body)
        row = self._row(said.row)
        text = said.text.rstrip(".")
        dtypes = {spec.dtype for spec in (*row.manifest.inputs, *row.manifest.outputs)}
        if REFUSED_DTYPE in said.text and dtypes & {"int8", "uint8", "int16"}:
            again = f"python -m export --format {row.variant.format} --io float32"
            text += f" in a browser by LiteRT.js, expected float32; run `{again}`"
        self._problems[said.row] = text

    def give_up(self, why: str) -> None:
        """Makes the row that was being run an error row."""
        if self.doing is not None:
            self._problems[self.doing] = why

    def _chunk(self, kind: str, body: bytes) -> None:
        """Takes the outputs of some calls of a row."""
        row, number, sha256 = chunk_of(kind)
        self._outputs.add(self._row(row), number, sha256, body)

    def _scored(self, body: bytes) -> None:
        """Keeps a row of which all outputs came."""
        said = decoded(Scored, body)
        row = self._row(said.row)
        scalars = {
            **(self._made.clipping(row) if self._made else {}),
            "experiments": {},
            "experiment_examples": 0,
            "timer_ns": round(said.timer_ns),
        }
        self._outputs.keep(row, scalars)

    def _round(self, body: bytes) -> None:
        """Keeps a finished round."""
        found = decoded(RoundOf, body)
        number = self._first_round + found.number
        if number not in self._numbers():
            raise ArtifactError(
                f"the page sent round {found.number}, expected one that it was given"
            )
        answers = {}
        for text, answer in found.answers.items():
            row = self._row(number_in(text))
            if not answer.durations_ns.size:
                raise ArtifactError(
                    f"{row.variant.name}: got no readings, expected some; run it again"
                )
            fields = {name: value for name, value in asdict(answer).items() if value is not None}
            answers[row.variant.key] = fields
        self._raw.add_round(number, answers)

    def result(self) -> InBrowser:
        """Returns what there is of every row."""
        browser, rows, rounds = self._browser, self._rows, self._settings.rounds
        if browser is None:
            raise ToolkitError("the page was done before it began; check what opened it")
        keys = [row.variant.key for row in rows]
        measured = Measured(problems={keys[index]: text for index, text in self._problems.items()})
        for number, group in enumerate(grouped(rows, self._together)):
            first = self._first_round + number * rounds
            sound = [index for index in group if index not in self._problems]
            for index in group:
                measured.rounds[keys[index]] = range(first, first + rounds)
                if sound:
                    measured.reference[keys[index]] = keys[sound[0]]
        return InBrowser(
            browser=browser,
            variants=collect([row.variant for row in rows], self._raw, measured),
        )


def _most_output_bytes(row: PageRow) -> int:
    """Returns how large a chunk of a row's outputs is, at most."""
    return row.chunk * sum(int(tensor(spec, row.outputs)["bytes"]) for spec in row.manifest.outputs)

"""What comes back from a page is a stranger's, and what came back of a page that ended is kept."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmark.measure.checkpoint import PartialResults
from benchmark.measure.measured import InBrowser, MeasuredVariant, Unmeasured
from benchmark.measure.settings import MeasureSettings
from benchmark.measure.variants import find_manifests, find_variants
from benchmark.remote.browser.run import measure_in_browser
from benchmark.remote.browser.server import Server
from export.data.test_data import Evaluation, open_evaluation
from export.formats.select import select_formats
from tests.benchmark.remote.browser.page import HELLO, SLICE, Opener, Page, RefusedError
from train.common.errors import ToolkitError

pytestmark = pytest.mark.slow

SETTINGS = MeasureSettings(samples=45, rounds=5, launches=1, max_seconds=1.0)
NAMES = ("tflite-float32", "onnx-float32")
BEGAN = {"row": 0, "text": "loading", "limit_ms": 1}
Play = Callable[[Page], None]


@dataclass
class Bench:
    """Two exports, their test data, and a folder for raw results."""

    artifacts: Path
    folder: Path
    test: Evaluation
    resume: bool = False
    silence_s: float = 30.0

    def run(self, *pages: Play, how: str | None = None, accelerator: str = "wasm") -> InBrowser:
        manifests = find_manifests(self.artifacts, tuple(select_formats(NAMES)))
        variants = find_variants(
            manifests, SETTINGS, self.test.reference, self.test.samples, built=self.folder
        )
        raw = PartialResults(self.folder, {}, resume=self.resume)
        self.opener = Opener(self.folder, *pages, how=how)
        self.opener.silence_s = self.silence_s
        with Server(self.folder) as server:
            return measure_in_browser(
                self.opener,
                server,
                {},
                accelerator,
                variants,
                SETTINGS,
                raw,
                self.test,
                lambda text, share: None,
            )


@pytest.fixture(scope="module")
def evaluation(trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return open_evaluation(trained_artifacts, None, None, tmp_path_factory.mktemp("data"))


@pytest.fixture
def bench(trained_artifacts: Path, evaluation: Evaluation, tmp_path: Path) -> Bench:
    return Bench(artifacts=trained_artifacts, folder=tmp_path, test=evaluation)


def saying(*said: tuple[str, Any]) -> Play:
    """A page that says hello, and then these."""

    def play(page: Page) -> None:
        page.say("hello", HELLO)
        for kind, content in said:
            if isinstance(content, bytes):
                page.ask(f"say/{kind}", content)
            else:
                page.say(kind, content)

    return play


def test_a_row_that_ends_the_browser_is_an_error_and_the_others_go_on(bench: Bench) -> None:
    def ended(page: Page) -> None:
        page.begin(page.say("hello", HELLO), 0)

    found = bench.run(ended, Page.run, how="the browser ended by signal 9: it said nothing")
    first, second = found.variants
    assert isinstance(first, Unmeasured)
    assert first.problem == "the browser ended by signal 9: it said nothing"
    assert isinstance(second, MeasuredVariant)
    assert second.variant.name == "onnx-float32 Chrome 140 Android"
    assert second.latency.p50 == 50
    assert (second.latency.p90, second.latency.calls_per_sample) == (None, 12)
    assert found.browser.here


def test_what_came_back_of_a_page_that_was_closed_is_kept(bench: Bench) -> None:
    def closed(page: Page) -> None:
        job = page.say("hello", HELLO)
        page.begin(job, 0)
        page.score(job, 0)
        page.ask("say/closed", b"")

    with pytest.raises(ToolkitError, match=r"was closed before it was done; .* with --resume"):
        bench.run(closed)
    bench.resume = True
    wanted: list[bool] = []

    def goes_on(page: Page) -> None:
        with pytest.MonkeyPatch.context() as patched:
            say = page.say

            def heard(kind: str, content: Any = None) -> Any:
                answer = say(kind, content)
                if kind == "hello":
                    wanted.extend(row["score"] for row in answer["rows"])
                return answer

            patched.setattr(page, "say", heard)
            page.run()

    rows = bench.run(goes_on).variants
    assert wanted == [False, True]
    assert all(isinstance(row, MeasuredVariant) for row in rows)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (("began", {**BEGAN, "row": 2}), "the page sent row 2, expected one of 2"),
        (("began", {**BEGAN, "row": -1}), "got row -1, expected a whole number in 0…10000"),
        (("began", {**BEGAN, "limit_ms": 1e300}), "got limit_ms 1e+300, expected a number in"),
        (("began", b"{"), "garbled JSON"),
        (("round", b'{"number": 0, "answers": {"0": {"probe_ns": NaN}}}'), "NaN"),
        (("round", {"number": 5, "answers": {}}), "round 5, expected one that it was given"),
        (
            ("round", {"number": 0, "answers": {"0": {**SLICE, "durations_ns": [0]}}}),
            "durations_ns with 0, expected a list of nanoseconds",
        ),
        (
            ("round", {"number": 0, "answers": {"0": {**SLICE, "durations_ns": []}}}),
            "got no readings",
        ),
        (("round", {"number": 0, "answers": {"../x": SLICE}}), "the page sent row"),
        (("outputs/0/0/abc", b""), "got outputs of another file, SHA-256 abc"),
        (("outputs/../0/abc", b""), "expected outputs/ROW/CHUNK/SHA256"),
        (("scored", {"row": 0, "timer_ns": 1}), "got 0 chunks of outputs, expected 10"),
        (("dance", {}), "the page said 'dance', expected one of"),
    ],
)
def test_what_no_page_would_say_ends_the_run(
    bench: Bench, said: tuple[str, Any], expected: str
) -> None:
    with pytest.raises(ToolkitError) as ended:
        bench.run(saying(said))
    assert expected in str(ended.value)
    assert "--resume goes on" in str(ended.value)
    assert str(bench.opener.errors[0]).startswith("400 ")


def test_a_page_that_is_alive_but_comes_no_further_ends_too(bench: Bench) -> None:
    def hangs(page: Page) -> None:
        page.begin(page.say("hello", HELLO), 0)
        with suppress(RefusedError, OSError):
            while True:
                page.say("alive")

    bench.silence_s = 0.5
    with pytest.raises(ToolkitError, match=r"the page came no further for 1 s"):
        bench.run(hangs)


def test_outputs_of_another_size_are_refused(bench: Bench) -> None:
    def short(page: Page) -> None:
        job = page.say("hello", HELLO)
        page.ask(f"say/outputs/0/0/{job['rows'][0]['sha256']}", bytes(39_996))

    with pytest.raises(ToolkitError, match="got 39996 bytes as outputs 0, expected 40000"):
        bench.run(short)


def test_a_browser_without_webgpu_is_told_so(bench: Bench) -> None:
    with pytest.raises(ToolkitError, match="Chrome 140 Android has no WebGPU here"):
        bench.run(saying(), accelerator="webgpu")


def test_a_page_that_gives_up_says_why(bench: Bench) -> None:
    with pytest.raises(ToolkitError, match="the page gave up: no WebAssembly"):
        bench.run(saying(("broken", {"text": "no WebAssembly\x1b[2J" + "x" * 999})))


def test_a_second_page_is_refused_and_the_first_goes_on(bench: Bench) -> None:
    refused: list[str] = []

    def two(page: Page) -> None:
        job = page.say("hello", HELLO)
        try:
            page.say("hello", HELLO)
        except Exception as error:  # noqa: BLE001 - looked at below
            refused.append(str(error))
        for index in range(len(job["rows"])):
            page.say("problem", {"row": index, "text": "Element type INT8 is not supported."})
        page.say("finished")

    rows = bench.run(two).variants
    assert refused == [
        "409 another page has this address, expected one; run the command again for a new one"
    ]
    assert [row.problem for row in rows if isinstance(row, Unmeasured)] == [
        "Element type INT8 is not supported"
    ] * 2


def test_the_job_holds_no_file_of_this_machine(bench: Bench) -> None:
    jobs: list[str] = []

    def curious(page: Page) -> None:
        jobs.append(json.dumps(page.say("hello", HELLO)))
        page.ask("say/closed", b"")

    with pytest.raises(ToolkitError):
        bench.run(curious)
    assert str(bench.artifacts) not in jobs[0]

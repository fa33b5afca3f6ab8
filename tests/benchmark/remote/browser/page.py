"""A page without a browser: it says what the real one says, with the runtimes of this machine."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.remote.browser.received import Hello
from export.runtimes.open import open_runner

RUNTIMES = {"litertjs": "litert", "onnxruntime-web": "onnxruntime"}
SLICE = {
    "durations_ns": [50_000] * 9,
    "calls": 12,
    "warm_up_calls": 100,
    "stable": True,
    "probe_ns": 600_000,
}
HELLO = {
    "user_agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36",
    "isolated": True,
    "clock_step_us": 5.0,
    "cores": 8,
    "gpu": None,
}


class RefusedError(Exception):
    """The harness refused what the page said."""


class Page:
    """A page's side of the talk."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self._folder = folder

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.address + path, data=body)
        try:
            with urllib.request.urlopen(request) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise RefusedError(f"{error.code} {error.read().decode()}") from error

    def say(self, kind: str, content: Any = None) -> Any:
        return json.loads(self.ask(f"say/{kind}", json.dumps(content or {}).encode()))

    def outputs(self, job: dict[str, Any], index: int, chunk: int = 0) -> bytes:
        """What a row's file gives for a chunk of its inputs."""
        row = job["rows"][index]
        (given,) = row["inputs"]
        file = self._folder / f"{index}"
        file.write_bytes(self.ask(f"models/{index}"))
        values = np.frombuffer(
            self.ask(f"inputs/{row['inputs_set']}/{chunk}"), given["dtype"]
        ).reshape(-1, *given["shape"])
        with open_runner(RUNTIMES[row["runtime"]], file, threads=1) as runner:
            made = [np.asarray(runner.invoke(value)) for value in values]
        return b"".join(value.tobytes() for value in made)

    def begin(self, job: dict[str, Any], index: int) -> None:
        self.say(
            "began", {"row": index, "text": f"{job['rows'][index]['name']}: loading", "limit_ms": 1}
        )

    def score(self, job: dict[str, Any], index: int) -> None:
        row = job["rows"][index]
        for chunk in range(-(-row["calls"] // row["chunk"])):
            body = self.outputs(job, index, chunk)
            self.ask(f"say/outputs/{index}/{chunk}/{row['sha256']}", body)
        self.say("scored", {"row": index, "timer_ns": 40.0})

    def run(self) -> None:
        """Does the whole job."""
        job = self.say("hello", HELLO)
        for group in job["groups"]:
            for launch in group["launches"]:
                for index in group["rows"]:
                    self.begin(job, index)
                    if launch["first"] and job["rows"][index]["score"]:
                        self.score(job, index)
                for turn in launch["rounds"]:
                    answers = {str(index): SLICE for index in turn["order"]}
                    self.say("round", {"number": turn["number"], "answers": answers})
        self.say("finished")


class Ending:
    """A browser that ends when its page is done, if it ends at all."""

    def __init__(self, done: threading.Event, how: str | None) -> None:
        self._done, self._how = done, how

    def problem(self) -> str | None:
        return self._how if self._done.is_set() else None


class Opener:
    """A device whose pages do what they are told, one after the other."""

    host = "127.0.0.1"
    rows_together = 4
    start_s = silence_s = 30.0

    def __init__(
        self, folder: Path, *pages: Callable[[Page], None], how: str | None = None
    ) -> None:
        self._folder, self._pages, self._how = folder, list(pages), how
        self.opens_again = how is not None
        self.errors: list[BaseException] = []

    @contextmanager
    def opened(self, address: str) -> Iterator[Ending]:
        done, page = threading.Event(), Page(address, self._folder)
        play = self._pages.pop(0)

        def run() -> None:
            try:
                play(page)
            except (RefusedError, OSError) as error:
                self.errors.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield Ending(done, self._how)
        finally:
            thread.join(30)

    def named(self, hello: Hello) -> tuple[str, str, bool]:
        return "Chrome 140 Android", "140.0.0.0", self.opens_again

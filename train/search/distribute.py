"""One search shared by several processes, by keras-tuner's chief/worker service.

The chief hands out trials and keeps the state; workers run them. All see one artifacts folder, for
the trials' weights. keras-tuner is told who is who by environment variables:

    KERASTUNER_TUNER_ID=chief | worker-1 | …    KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT
"""

import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief

from train.common.command.native_output import captured_native_output
from train.common.command.progress import EVERY_STEP_VARIABLE, Progress
from train.common.environment import available_cores
from train.common.errors import ToolkitError
from train.config import TrainConfig

ID, ADDRESS, PORT = "KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT"
CHIEF = "chief"
LOOPBACK = "127.0.0.1"
REPOSITORY = Path(__file__).resolve().parents[2]
POLL_S = 0.1
MAX_RESTARTS = 5  # of all workers together


def is_chief() -> bool:
    """Says whether this process hands out the trials of a shared search."""
    return ADDRESS in os.environ and CHIEF in os.environ.get(ID, "")


def is_worker() -> bool:
    """Says whether this process runs trials that a chief hands out.

    Raises:
        ToolkitError: some of the environment variables are set, not all.
    """
    given = [name for name in (ID, ADDRESS, PORT) if os.environ.get(name)]
    if given and len(given) < 3:
        raise ToolkitError(
            f"got {', '.join(given)}, expected all of {ID}, {ADDRESS} and {PORT} or none; "
            "set what is missing"
        )
    return bool(given) and not is_chief()


def is_distributed(config: TrainConfig) -> bool:
    """Says whether a search is shared among processes, with a chief that keeps its state."""
    return bool(config.workers) or is_chief() or is_worker()


def serve(oracle: Any, supervise: Callable[[], None]) -> None:
    """Hands out trials until all are done and every worker knows it.

    As keras-tuner's `start_server`, which looks every 20 seconds only, and waits for ever for a
    worker that died.

    Args:
        oracle: the search's state.
        supervise: called all the time; what it raises ends the search.

    Raises:
        ToolkitError: the port is taken.
    """
    where = f"{os.environ[ADDRESS]}:{os.environ[PORT]}"
    only_one = [("grpc.so_reuseport", 0)]  # else a second chief shares the port
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=only_one)
    servicer = oracle_chief.OracleServicer(oracle)
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        with captured_native_output():  # it says so itself, in its own words
            server.add_insecure_port(where)
    except RuntimeError as error:
        raise ToolkitError(
            f"the chief cannot listen on {where}, expected a free port of this machine; "
            f"set {ADDRESS} and {PORT} to one"
        ) from error
    server.start()
    try:
        while not servicer.stop_triggered or oracle.ongoing_trials or oracle.tuner_ids:
            supervise()
            time.sleep(POLL_S)
    finally:
        server.stop(grace=1).wait()


@contextmanager
def chief_here() -> Iterator[None]:
    """Makes this process the chief of a search on this machine alone."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    os.environ.update({ID: CHIEF, ADDRESS: LOOPBACK, PORT: str(port)})
    try:
        yield
    finally:
        for name in (ID, ADDRESS, PORT):
            del os.environ[name]


class Workers:
    """Worker processes of a chief on this machine; one that dies is started again.

    Started again under the same name, it gets the trial that it had.
    """

    def __init__(self, config: TrainConfig, report: Progress, *, count: int) -> None:
        """Starts `count` of them; the cores are shared out among them."""
        self._config = config
        self._report = report
        self._threads = max(1, len(available_cores()) // count)
        self._restarts = 0
        self.names = [f"worker-{number + 1}" for number in range(count)]
        self._running = {name: self._start(name) for name in self.names}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *error: object) -> None:
        for process, errors in self._running.values():
            process.kill()
            process.wait()
            errors.close()

    def supervise(self) -> None:
        """Starts again what died.

        Raises:
            ToolkitError: too much died.
        """
        for name, (process, errors) in list(self._running.items()):
            if process.poll() in (None, 0):
                continue
            if process.returncode > 0 or self._restarts >= MAX_RESTARTS:
                errors.seek(0)
                text = errors.read().decode(errors="replace").strip()
                last = text.splitlines()[-1].removeprefix("error: ") if text else "no message"
                raise ToolkitError(f"{name} of the search ended: {last}; fix that, then --resume")
            self._restarts += 1
            self._report.milestone(f"{name} died by signal {-process.returncode}; started again")
            errors.close()
            self._running[name] = self._start(name)

    def _start(self, name: str) -> tuple[subprocess.Popen[bytes], Any]:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its process
        process = subprocess.Popen(
            [sys.executable, "-m", "train.search.worker"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={
                **os.environ,
                ID: name,
                "TF_NUM_INTRAOP_THREADS": str(self._threads),
                EVERY_STEP_VARIABLE: "1",  # the chief leaves out what is too much
            },
            start_new_session=True,  # Ctrl-C is the chief's; a worker ends with its pipe
        )
        requests = cast(IO[bytes], process.stdin)
        pickle.dump(self._config, requests)
        requests.flush()
        threading.Thread(target=self._forward, args=(name, process.stdout), daemon=True).start()
        return process, errors

    def _forward(self, name: str, lines: Any) -> None:
        for line in lines:
            self._report.step(f"{name}: {line.decode(errors='replace').rstrip()}")

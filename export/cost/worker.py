"""The process that tells what networks cost, one after the other, as JSON lines.

Each line on standard input is a `Request`; each on standard output answers one: a `Cost`, with the
`board`; `{"does_not_fit": "…"}` where a program is so large for a core that it has no size; or
`{"error": "…"}`. A line with `examples` or `outputs` asks for what `examples.py` writes. The first
line, `{"ready": true, "code": …}`, comes once TensorFlow is loaded, with a hash of what decides the
costs. Nothing is written to standard error. It ends with its input.
"""

import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from typing import IO, Any

from export.convert.job.up_to_date import CODE, code_hash
from export.cost.cost import Cost, Request, request_of
from export.deploy.cores.build import DoesNotFitError
from export.deploy.cores.target import board_named
from train.common.command.cli import Parser
from train.common.command.native_output import importing_large_library
from train.common.errors import ToolkitError
from train.common.files.staging import temporary_folder

COST_CODE = ("export/cost", "export/deploy", "export/runtimes")  # what costs depend on as well
MOST_TEXT = 500  # characters of an error


def main(arguments: Sequence[str]) -> int:
    """Answers requests until there are no more, or tells of a board."""
    parser = Parser(prog="python -m export.cost", description=__doc__.splitlines()[0])
    parser.group("instead of requests")(
        "--board", metavar="BOARD", help="tell its flash, RAM, core and clock, as JSON"
    )
    options = parser.parse_args(arguments)
    if options.board is not None:
        print(json.dumps(asdict(board_named(options.board))))
        return 0
    with importing_large_library():
        from export.cost.measure import cost_of
    with _quiet() as answers, temporary_folder("edge-cost-") as folder:
        serve(sys.stdin, answers, partial(cost_of, folder=folder))
    return 0


def serve(requests: Iterable[str], answers: IO[str], cost_of: Callable[[Request], Cost]) -> None:
    """Answers each line with a line; what a request fails of ends that request alone.

    Args:
        requests: lines of JSON.
        answers: where to.
        cost_of: measures.
    """
    _tell(answers, {"ready": True, "code": code_hash((*CODE, *COST_CODE))})
    for number, line in enumerate(filter(str.strip, requests)):
        _tell(answers, _answer(line, cost_of))
        if number == 0:  # modules that it imported stay; collections need not look through them
            gc.collect()
            gc.freeze()


def _answer(line: str, cost_of: Callable[[Request], Cost]) -> dict[str, Any]:
    try:
        content = json.loads(line)
        if isinstance(content, dict) and {"examples", "outputs"} & content.keys():
            from export.cost.examples import written

            return written(content)
        request = request_of(content)
        target = request.target
        cost = cost_of(request)
        return cost.as_json() | {"board": None if target is None else asdict(target)}
    except DoesNotFitError as error:
        return {"does_not_fit": _one_line(str(error))}
    except ToolkitError as error:
        return {"error": _one_line(str(error))}
    except Exception as error:  # noqa: BLE001 - the next request may well be answered
        return {"error": _one_line(f"{type(error).__name__}: {error}")}


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_TEXT else f"{line[: MOST_TEXT - 1]}…"


def _tell(answers: IO[str], content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


def _quiet() -> IO[str]:
    """Returns standard output; what anything else writes there, or to the error one, is lost."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - it has no path of ours
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    return answers

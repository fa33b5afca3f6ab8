"""`python -m export.deploy.foreign.probe RUNTIME FILE` loads a stranger's file once.

A file can crash its runtime, or ask for more memory than there is; then only this process ends. It
prints a JSON object: the inputs and outputs that the runtime sees, or why it refuses the file.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.runtimes.open import open_runner
from train.common.environment import read_environment
from train.common.errors import MissingOperatorError, MissingPackageError, ToolkitError
from train.common.memory_limit import limit_memory, memory_limit_bytes


def answer(runtime: str, path: Path) -> dict[str, Any]:
    """Returns what is printed."""
    try:
        with open_runner(runtime, path, threads=1) as runner:
            inputs, outputs = runner.inputs, runner.outputs
    except MissingOperatorError as error:
        return {"error": str(error), "operator": error.operator}
    except ModuleNotFoundError as error:
        return {"error": str(MissingPackageError(error)), "operator": None}
    except ToolkitError as error:
        return {"error": str(error), "operator": None}
    return {"inputs": [asdict(spec) for spec in inputs], "outputs": [asdict(s) for s in outputs]}


if __name__ == "__main__":
    limit_memory(memory_limit_bytes(read_environment().memory_bytes))
    print(json.dumps(answer(sys.argv[1], Path(sys.argv[2]))), flush=True)
    os._exit(0)  # what was loaded is not taken down: it may be damaged

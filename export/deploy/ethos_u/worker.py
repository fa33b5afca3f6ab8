"""The process that Vela runs in, with a limit of memory: a file may be a stranger's.

python -m export.deploy.ethos_u.worker FILE --accelerator-config … --output-dir …
"""

import resource
import runpy

from train.common.environment import read_environment
from train.common.memory_limit import limit_memory, memory_limit_bytes

COMPILER = "ethosu.vela"

if __name__ == "__main__":
    limit_memory(memory_limit_bytes(read_environment().memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    runpy.run_module(COMPILER, run_name="__main__", alter_sys=True)

"""Times each operator of a `.tflite` file with LiteRT's own profiler.

The Python package binds no profiler, but its shared library exports the C API that has one
(https://github.com/google-ai-edge/LiteRT, litert/c/litert_profiler.h). The declarations below are
those of ai-edge-litert 2.3.0; the library is asked for all of them before any is called, and the
events it returns are checked before a pointer in them is followed. It runs the file in LiteRT's
CompiledModel, which has the same kernels as the Interpreter that is timed.
"""

import ctypes
import importlib.util
from collections.abc import Sequence
from contextlib import ExitStack
from ctypes import c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.measure.worker.profilers.operator_time import OperatorTime
from train.common.command.native_output import captured_native_output
from train.common.errors import ArtifactError

HANDLE, POINTER, INDEX = c_void_p, c_void_p, c_size_t
FUNCTIONS: dict[str, tuple[type, ...]] = {
    "LiteRtCreateEnvironment": (c_int, POINTER, POINTER),
    "LiteRtDestroyEnvironment": (HANDLE,),
    "LiteRtCreateModelFromFile": (HANDLE, POINTER, POINTER),
    "LiteRtDestroyModel": (HANDLE,),
    "LiteRtCreateOptions": (POINTER,),
    "LiteRtDestroyOptions": (HANDLE,),
    "LiteRtSetOptionsHardwareAccelerators": (HANDLE, c_int),
    "LiteRtCreateOpaqueOptions": (POINTER, POINTER, POINTER, POINTER),
    "LiteRtAddOpaqueOptions": (HANDLE, HANDLE),
    "LiteRtCreateCompiledModel": (HANDLE, HANDLE, HANDLE, POINTER),
    "LiteRtDestroyCompiledModel": (HANDLE,),
    "LiteRtRunCompiledModel": (HANDLE, INDEX, c_size_t, POINTER, c_size_t, POINTER),
    "LiteRtGetModelSignature": (HANDLE, INDEX, POINTER),
    "LiteRtGetRankedTensorType": (HANDLE, POINTER),
    "LiteRtCreateManagedTensorBufferFromRequirements": (HANDLE, POINTER, HANDLE, POINTER),
    "LiteRtDestroyTensorBuffer": (HANDLE,),
    "LiteRtGetTensorBufferPackedSize": (HANDLE, POINTER),
    "LiteRtLockTensorBuffer": (HANDLE, POINTER, c_int),
    "LiteRtUnlockTensorBuffer": (HANDLE,),
    "LiteRtCompiledModelGetProfiler": (HANDLE, POINTER),
    "LiteRtStartProfiler": (HANDLE,),
    "LiteRtStopProfiler": (HANDLE,),
    "LiteRtGetNumProfilerEvents": (HANDLE, POINTER),
    "LiteRtGetProfilerEvents": (HANDLE, c_int, POINTER),
}
for _end in ("Input", "Output"):
    FUNCTIONS[f"LiteRtGetNumSignature{_end}s"] = (HANDLE, POINTER)
    FUNCTIONS[f"LiteRtGetSignature{_end}TensorByIndex"] = (HANDLE, INDEX, POINTER)
    _requirements = (HANDLE, INDEX, INDEX, POINTER)
    FUNCTIONS[f"LiteRtGetCompiledModel{_end}BufferRequirements"] = _requirements

CPU = 1  # kLiteRtHwAcceleratorCpu
READ, WRITE = 0, 1  # LiteRtTensorBufferLockMode
MAX_TENSOR_TYPE_BYTES = 256  # LiteRtRankedTensorType, 72 bytes, is only passed back
MAX_EVENTS = 2048  # LiteRT's buffer; it drops what does not fit
SOURCES = {2: "builtin", 4: "delegate", 8: "delegate"}  # event types: an operator's invocation
EVENT_TYPES = {1 << bit for bit in range(9)}
UNTOUCHED = 0xA5
WARM_UP_CALLS = 100

# LiteRT refuses options without a destructor; these payloads belong to Python.
_keep = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)


class _Event(ctypes.Structure):
    """ProfiledEventData, litert/c/litert_profiler_event.h."""

    _fields_ = (
        ("tag", c_void_p),
        ("type", c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_int64 * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", c_int),
    )


class _LiteRT:
    """The C API; a status that is not OK, or a missing symbol, is a ArtifactError."""

    def __init__(self) -> None:
        package = importlib.util.find_spec("ai_edge_litert")
        folders = package.submodule_search_locations if package else None
        found = [file for folder in folders or () for file in Path(folder).glob("libLiteRt.*")]
        if not found:
            raise ArtifactError("ai_edge_litert is not installed, or has no library libLiteRt")
        try:
            self._library = ctypes.CDLL(str(found[0]))
            for name, arguments in FUNCTIONS.items():
                function = getattr(self._library, name)
                function.argtypes = arguments
                function.restype = None if name.startswith("LiteRtDestroy") else c_int
        except (OSError, AttributeError) as error:
            raise ArtifactError(f"this LiteRT cannot be profiled: {error}") from error

    def call(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status:
            raise ArtifactError(f"{name} failed with LiteRtStatus {status}")

    def get(self, name: str, *arguments: Any, kind: type[Any] = c_void_p) -> Any:
        result = kind()
        self.call(name, *arguments, ctypes.byref(result))
        return result.value

    def create(self, stack: ExitStack, kind: str, name: str, *arguments: Any) -> int:
        handle: int = self.get(name, *arguments)
        stack.callback(self.call, f"LiteRtDestroy{kind}", handle)
        return handle


class _Session:
    """A compiled model with its buffers and its profiler; `stack` destroys what it holds."""

    def __init__(self, path: Path, threads: int, stack: ExitStack) -> None:
        self._api = api = _LiteRT()
        environment = api.create(stack, "Environment", "LiteRtCreateEnvironment", 0, None)
        file = str(path).encode()
        model = api.create(stack, "Model", "LiteRtCreateModelFromFile", environment, file)
        options = api.create(stack, "Options", "LiteRtCreateOptions")
        api.call("LiteRtSetOptionsHardwareAccelerators", options, CPU)
        self._payloads = [  # LiteRT keeps their addresses
            (b"runtime_options_string", ctypes.create_string_buffer(b"enable_profiling = true\n")),
            (b"xnnpack", ctypes.create_string_buffer(f"num_threads = {threads}\n".encode())),
        ]
        for identifier, payload in self._payloads:
            added = api.get("LiteRtCreateOpaqueOptions", identifier, payload, _keep)
            api.call("LiteRtAddOpaqueOptions", options, added)
        create = "LiteRtCreateCompiledModel"
        self._model = api.create(stack, "CompiledModel", create, environment, model, options)
        self._profiler = api.get("LiteRtCompiledModelGetProfiler", self._model)
        if not self._profiler:
            raise ArtifactError("this LiteRT does not know the option enable_profiling")
        signature = api.get("LiteRtGetModelSignature", model, 0)
        self.buffers: dict[str, Any] = {}
        for end in ("Input", "Output"):
            handles = []
            for index in range(api.get(f"LiteRtGetNumSignature{end}s", signature, kind=c_size_t)):
                tensor = api.get(f"LiteRtGetSignature{end}TensorByIndex", signature, index)
                tensor_type = ctypes.create_string_buffer(MAX_TENSOR_TYPE_BYTES)
                api.call("LiteRtGetRankedTensorType", tensor, tensor_type)
                get = f"LiteRtGetCompiledModel{end}BufferRequirements"
                needs = api.get(get, self._model, 0, index)
                create = "LiteRtCreateManagedTensorBufferFromRequirements"
                arguments = (environment, tensor_type, needs)
                handles.append(api.create(stack, "TensorBuffer", create, *arguments))
            self.buffers[end] = (c_void_p * len(handles))(*handles)
        if len(self.buffers["Input"]) != 1:
            raise ArtifactError(f"{path} has {len(self.buffers['Input'])} inputs, expected 1")

    def run(self, value: np.ndarray) -> None:
        """Runs one inference."""
        api, inputs, outputs = self._api, self.buffers["Input"], self.buffers["Output"]
        value = np.ascontiguousarray(value)
        size = api.get("LiteRtGetTensorBufferPackedSize", inputs[0], kind=c_size_t)
        if size != value.nbytes:
            raise ArtifactError(f"got an input of {value.nbytes} bytes, expected {size}")
        address = c_void_p()
        api.call("LiteRtLockTensorBuffer", inputs[0], ctypes.byref(address), WRITE)
        ctypes.memmove(address, value.ctypes.data, size)
        api.call("LiteRtUnlockTensorBuffer", inputs[0])
        arguments = (len(inputs), inputs, len(outputs), outputs)
        api.call("LiteRtRunCompiledModel", self._model, 0, *arguments)

    def profile(self, value: np.ndarray) -> list[tuple[str, str, int]]:
        """Runs one inference; returns name, source and microseconds of each operator."""
        self._api.call("LiteRtStartProfiler", self._profiler)  # forgets what was recorded before
        self.run(value)
        self._api.call("LiteRtStopProfiler", self._profiler)
        count = self._api.get("LiteRtGetNumProfilerEvents", self._profiler, kind=c_int)
        if not 0 < count < MAX_EVENTS:
            raise ArtifactError(f"LiteRT recorded {count} events, expected 1 to {MAX_EVENTS - 1}")
        events = (_Event * (2 * count))()  # room for longer events than these, to notice them
        ctypes.memset(events, UNTOUCHED, ctypes.sizeof(events))
        self._api.call("LiteRtGetProfilerEvents", self._profiler, count, events)
        rest = bytes(events)[count * ctypes.sizeof(_Event) :]
        recorded = events[:count]
        if rest.strip(bytes([UNTOUCHED])) or any(e.type not in EVENT_TYPES for e in recorded):
            raise ArtifactError("this LiteRT lays its profiler's events out in another way")
        return [
            ((ctypes.string_at(event.tag)).decode(), SOURCES[event.type], event.elapsed_us)
            for event in recorded
            if event.type in SOURCES
        ]


def profile_litert(path: Path, inputs: Sequence[np.ndarray], threads: int) -> list[OperatorTime]:
    """Returns the operators in the order in which they run, each timed once an input.

    Args:
        path: a `.tflite` file with one input.
        inputs: what it is run on, one after the other, each of the input's dtype and shape.
        threads: how many threads the runtime may use for one inference.

    Raises:
        ArtifactError: this LiteRT has no such profiler, or refuses the file or an input.
    """
    with ExitStack() as stack:
        with captured_native_output():  # it announces its accelerators from C++
            session = _Session(path, threads, stack)
        for index in range(WARM_UP_CALLS):
            session.run(inputs[index % len(inputs)])
        runs = [session.profile(value) for value in inputs]
    if len({tuple(operator[:2] for operator in run) for run in runs}) != 1 or not runs[0]:
        raise ArtifactError(f"LiteRT did not run the same operators of {path} every time")
    return [
        OperatorTime(
            name=calls[0][0],
            node="",
            source=calls[0][1],
            calls=len(calls),
            mean_us=sum(call[2] for call in calls) / len(calls),
        )
        for calls in zip(*runs, strict=True)
    ]

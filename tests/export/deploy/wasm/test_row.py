"""The benchmark's worker with a module: judged as other exports, timed by Node.js's own clock."""

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.measure.variants import find_manifests
from benchmark.measure.worker.__main__ import serve
from benchmark.measure.worker.process import Job
from benchmark.remote.browser.npm import PAGE
from export.deploy.wasm.package import set_out
from export.manifest import Manifest, read_manifest
from export.runtimes.litert import LiteRTRunner
from export.runtimes.predict import predict
from export.runtimes.wasm import WasmRunner
from tests.export.conftest import Tiny
from tests.export.deploy.wasm.conftest import HELD_OUT
from tests.export.deploy.wasm.tools import run_script
from train.common.errors import ArtifactError
from train.data.fashion_mnist import INPUT_NAME

pytestmark = pytest.mark.slow


def test_a_worker_judges_and_times_it(
    folder: Path, converted: tuple[Path, Manifest], tiny: Tiny, tmp_path: Path
) -> None:
    (path,) = find_manifests(folder.parent, None)
    manifest = read_manifest(path)
    np.save(tmp_path / "images.npy", HELD_OUT.images)
    job = Job(
        name="wasm",
        runtime=manifest.runtime,
        mode=None,
        threads=1,
        file=set_out(manifest, tmp_path / "programs"),
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        preprocessing=manifest.preprocessing,
        raw={INPUT_NAME: tmp_path / "images.npy"},
    )
    requests: list[dict[str, Any]] = [
        {"do": "outputs", "path": str(tmp_path), "core": None},
        {"do": "time", "samples": 50, "warm_up_ns": 10**7, "limit_ns": 10**9, "core": None},
        {"do": "throughput", "batch": 8, "limit_ns": 10**6},
        {"do": "kernels"},
    ]
    answers: list[dict[str, Any]] = []
    lines = "".join(json.dumps(line) + "\n" for line in (job.as_json(), *requests))
    serve(io.StringIO(lines), answers.append, clock_ns=time.perf_counter_ns)
    loaded, _, timed, throughput, _ = answers
    with LiteRTRunner(converted[0], threads=1, mode="reference") as runner:
        expected = predict(runner, tiny.expected.inputs)["probabilities"]
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy"), expected)
    assert 0 < loaded["peak_rss_over_empty_bytes"] < loaded["peak_rss_bytes"]
    assert loaded["load_ms"] > 0
    assert loaded["first_inference_us"] > 0
    assert len(timed["durations_ns"]) == 50
    assert min(timed["durations_ns"]) > 0
    assert timed["warm_up_calls"] > 0
    assert timed["cpu_s"] > 0
    assert throughput["images_per_second"] > 0
    with WasmRunner(job.file, threads=1) as runner:
        limited = runner.time([expected_input(runner)], samples=10**6, limit_ns=0)
        assert len(limited.durations_ns) == 1
        with pytest.raises(ValueError, match="got inputs of 3 bytes, expected 784"):
            runner.invoke(np.zeros(3, np.int8))


def expected_input(runner: WasmRunner) -> np.ndarray:
    """Returns a stored input of zeros."""
    return np.zeros([size or 1 for size in runner.inputs[0].shape], np.int8)


def test_the_page_of_the_benchmark_gives_the_same_bytes(
    folder: Path, converted: tuple[Path, Manifest], tiny: Tiny
) -> None:
    manifest = read_manifest(folder / "wasm.json")
    images = (HELD_OUT.images[:10].astype(int) - 128).reshape(10, -1).tolist()
    tensors = [
        [{"name": spec.name, "dtype": spec.dtype, "shape": spec.shape} for spec in specs]
        for specs in (manifest.inputs, manifest.outputs)
    ]
    made = run_script(
        f"""
        import {{ readFileSync }} from "node:fs";
        import {{ start }} from "{(PAGE / "runtimes" / "wasm.mjs").as_uri()}";
        const [inputs, outputs] = {json.dumps(tensors)};
        const open = await start();
        const model = await open({{ file: readFileSync("model.wasm"), inputs, outputs }});
        console.log(JSON.stringify({images}.map((image) => [...model.run([image])[0]])));
        """,
        folder,
    )
    some = {name: values[:10] for name, values in tiny.expected.inputs.items()}
    with LiteRTRunner(converted[0], threads=1, mode="reference") as runner:
        expected = predict(runner, some)["probabilities"]
    np.testing.assert_array_equal((np.asarray(made) + 128) / 256, expected)


def test_a_module_that_fails_on_the_way_is_said_in_one_line(folder: Path, tmp_path: Path) -> None:
    module = set_out(read_manifest(folder / "wasm.json"), tmp_path / "programs")
    with WasmRunner(module, threads=1) as runner:
        given = expected_input(runner)
        runner._process.kill()
        with pytest.raises(ArtifactError, match=r"wasm: Node\.js ended on .*: it said nothing"):
            runner.invoke(given)
    module.write_bytes(module.read_bytes()[:-100])
    with (
        pytest.raises(ArtifactError, match=r"cannot load .*CompileError"),
        WasmRunner(module, threads=1),
    ):
        pass

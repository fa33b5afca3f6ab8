"""`make bench`, in a browser: our WebAssembly beside LiteRT.js and ONNX Runtime Web.

The same model and images in one Chromium, in turns, by `python -m benchmark --browser`. Transferred
is what a page fetches to run the file: the runtime's code and the file, each gzipped; first is the
time from opening a page that does nothing else to the first answer, the median of some new
browsers, all fetched from this machine. Ratios are of the module's to the others' times, of first
of what is beyond an empty page's, which is the browser's own.
"""

import gzip
import json
import shutil
import statistics
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from benchmark.remote.browser.npm import PAGE, packages_folder
from export.formats.packages import WASM
from export.manifest import read_manifest
from tests.mcu.networks import run_module
from train.common.command.cli import Parser, run_program

# LiteRT.js takes no integers of 8 bits at its ends.
EXPORTS = (
    ("--format", "tflite-float32,tflite-dynamic,tflite-int8", "--io", "float32"),
    ("--format", "onnx-float32,onnx-int8"),
    ("--format", WASM),
)
RUNTIME_FILES = {
    "litertjs": (
        "@litertjs/core/dist/index.js",
        "@litertjs/wasm-utils/dist/index.js",
        "@litertjs/core/wasm/litert_wasm_internal.js",
        "@litertjs/core/wasm/litert_wasm_internal.wasm",
    ),
    "onnxruntime-web": (
        "onnxruntime-web/dist/ort.wasm.min.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    ),
    WASM: (),
}
MOST_TIME, MOST_FIRST = 0.25, 0.1  # the goals
FIRST_RUNS, FIRST_S = 5, 60
EMPTY = "empty"
EMPTY_HTML = "<script type=module>document.title = `${performance.now()}`</script>"
PAGE_HTML = """\
<script type="importmap">
{"imports": {"@litertjs/wasm-utils": "/packages/@litertjs/wasm-utils/dist/index.js"}}
</script>
<script type="module">
const { runtime, file, inputs, outputs } = JOB;
const fetched = fetch(file).then((answer) => answer.arrayBuffer());
const [{ start }, { arrayOf, sizeOf }] = await Promise.all([
  import(`/page/runtimes/${runtime}.mjs`), import("/page/tensors.mjs")]);
const open = await start({ accelerator: "wasm", packages: `${location.origin}/packages/` });
const model = await open({ file: new Uint8Array(await fetched), inputs, outputs });
await model.run(inputs.map((input) => new (arrayOf(input))(sizeOf(input))));
document.title = `${performance.now()}`;
</script>
"""
# What its users write: the module loads itself.
WASM_HTML = """\
<link rel="preload" href="/wasm/model.wasm" as="fetch" crossorigin>
<script type="module">
import { load } from "/wasm/model.mjs";
const model = await load();
model.run(new Uint8Array(JOB.inputs[0].shape.reduce((size, length) => size * length, 1)));
document.title = `${performance.now()}`;
</script>
"""
ROW = "{:16} {:16} {:>10} {:>8} {:>6} {:>9} {:>6}"


def main(arguments: Sequence[str]) -> int:
    """Prints a table; returns 0."""
    parser = Parser(prog="python -m tests.in_browser", description=__doc__)
    parser.add_shared_arguments()
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        for name in ("model.keras", "model.json", "model.outputs.npz"):
            shutil.copy(options.artifacts / name, place)
        where = ["--artifacts", place, *(["--data", str(options.data)] if options.data else [])]
        for asked in EXPORTS:
            run_module("export", *asked, *where)
        run_module("benchmark", "--browser", *where)
        content = json.loads(Path(place, "benchmark.json").read_text())
        rows = [row for row in content["results"] if row["browser"]]
        packages = packages_folder()
        first = first_answers(Path(place), packages, rows)
    print(f"\n{content['browser']['name']}, one thread")
    print("\n".join(table(rows, runtime_bytes(packages), first)))
    print(f"goals: ratio at most {MOST_TIME} of p50, {MOST_FIRST} of first", flush=True)
    return 0


def table(
    rows: Sequence[Mapping[str, Any]], sizes: Mapping[str, int], first_ms: Mapping[str, float]
) -> list[str]:
    """Returns the lines of the table.

    Args:
        rows: of `benchmark.json`, the module's among them.
        sizes: bytes of the runtimes' code, gzipped.
        first_ms: until the first answer, by format, and of an empty page.
    """
    (ours,) = [row for row in rows if row["runtime"] == WASM]
    empty = first_ms[EMPTY]
    lines = [ROW.format("", "", "transf. kB", "p50 µs", "ratio", "first ms", "ratio")]
    for row in rows:
        sent = (sizes[row["runtime"]] + row["gzip_bytes"]) / 1000
        pairs = zip(ours["latency_us"]["rounds_p50"], row["latency_us"]["rounds_p50"], strict=True)
        first = first_ms[row["format"]]
        cells = [f"{sent:,.0f}", f"{row['latency_us']['p50']:.1f}"]
        cells += [f"{statistics.median(mine / other for mine, other in pairs):.2f}", f"{first:.0f}"]
        cells += [f"{(first_ms[WASM] - empty) / max(first - empty, 1e-3):.2f}"]
        lines.append(ROW.format(row["format"], row["runtime"], *cells))
    lines.append(ROW.format("an empty page", "", "", "", "", f"{empty:.0f}", ""))
    return lines


def first_answers(
    folder: Path, packages: Path, rows: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Returns the milliseconds from opening a page to its first answer, by format; and `EMPTY`.

    Args:
        folder: with the exports; pages are written there.
        packages: the folder `node_modules`.
        rows: of `benchmark.json`.
    """
    (folder / "page").symlink_to(PAGE)
    (folder / "packages").symlink_to(packages)
    for row in rows:
        name = row["format"]
        manifest = read_manifest(
            folder / (f"{WASM}/{WASM}.json" if name == WASM else f"{name}.json")
        )
        job = {"runtime": row["runtime"], "file": f"/{manifest.artifact_path.relative_to(folder)}"}
        for end, specs in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
            shapes = [[size or 1 for size in spec.shape] for spec in specs]
            job[end] = [
                {"name": spec.name, "dtype": spec.dtype, "shape": shape}
                for spec, shape in zip(specs, shapes, strict=True)
            ]
        page = WASM_HTML if name == WASM else PAGE_HTML
        (folder / f"{name}.html").write_text(page.replace("JOB", json.dumps(job)))
    folder.joinpath(f"{EMPTY}.html").write_text(EMPTY_HTML)
    handler = partial(_Quiet, directory=str(folder))
    found: dict[str, list[float]] = {name: [] for name in (EMPTY, *[row["format"] for row in rows])}
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for _ in range(FIRST_RUNS):
            for name, times in found.items():
                times.append(_title(f"http://127.0.0.1:{server.server_port}/{name}.html"))
        server.shutdown()
    return {name: statistics.median(times) for name, times in found.items()}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        return


def _title(address: str) -> float:
    """Returns the number that a page in a new browser has as its title in the end."""
    options = Options()
    for argument in ("headless", "no-sandbox", "disable-gpu", "no-first-run"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(address)
        WebDriverWait(driver, FIRST_S).until(lambda page: page.title)
        return float(driver.title)
    finally:
        driver.quit()


def runtime_bytes(packages: Path) -> dict[str, int]:
    """Returns how many bytes of code each runtime is, gzipped file by file."""
    return {
        runtime: sum(len(gzip.compress((packages / name).read_bytes())) for name in names)
        for runtime, names in RUNTIME_FILES.items()
    }


if __name__ == "__main__":
    run_program(main)

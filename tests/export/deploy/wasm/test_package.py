"""The set of files: what is in it, what it computes where, and when it is not written."""

import functools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from export.convert.job.inputs import ConversionInputs
from export.deploy.c.program import STEPS
from export.deploy.c.proof import provable
from export.deploy.wasm.module import module_source
from export.deploy.wasm.package import BESIDE, FOLDER, is_current, make_package
from export.formats.settings import ExportOptions
from export.manifest import Manifest
from export.runtimes.litert import LiteRTRunner
from export.runtimes.predict import predict
from tests.export.conftest import Tiny, settings_of
from tests.export.deploy.conftest import INT8, LABELS, NOW, SETTINGS
from tests.export.deploy.wasm.conftest import HELD_OUT
from tests.export.deploy.wasm.tools import run_script
from train.common.errors import ArtifactError, ToolkitError
from train.common.files.artifact import file_sha256
from train.common.files.staging import LOCK_FILE

pytestmark = pytest.mark.slow
# Where a tool is looked for, and the programs that are left when it is missing.
PLACES = {
    "no compiler": ("deploy.wasm.compiler", ("node",)),
    "no node": ("runtimes.wasm", ("zig", "clang", "wasm-ld")),
}
IMPORTED = '__attribute__((import_name("no_such_function"))) void no_such_function(void);\n'
COUNT = 40  # of images that are looked at one by one


def scores(path: Path, tiny: Tiny) -> np.ndarray:
    """Returns what LiteRT's reference kernels make of the first held-out images."""
    some = {name: values[:COUNT] for name, values in tiny.expected.inputs.items()}
    with LiteRTRunner(path, threads=1, mode="reference") as runner:
        return predict(runner, some)["probabilities"]


def test_the_script_gives_what_the_reference_kernels_do_from_raw_values_of_any_kind(
    folder: Path, converted: tuple[Path, Manifest], tiny: Tiny
) -> None:
    images = HELD_OUT.images[:COUNT].reshape(COUNT, -1).tolist()
    found = run_script(
        f"""
        import {{ load, inputs, outputs, classes }} from "./model.mjs";
        const [one, other] = [await load(), await load(new URL(`file://${{process.cwd()}}/model.wasm`))];
        const made = {images}.map((image) => ["run", "runStored"].map((how) => {{
          const given = how === "run" ? image : image.map((each) => each - 128);
          return [Uint8Array, Float32Array, Array].map((kind) => {{
            if (how === "runStored") return [...one.runStored(given)];
            return [...one.run({{ image: kind.from(image) }}), ...other.run(kind.from(image))];
          }});
        }}));
        let said = "";
        try {{ one.run([1, 2]); }} catch (error) {{ said = String(error); }}
        console.log(JSON.stringify({{ made, said, inputs, outputs, classes }}));
        """,
        folder,
    )
    expected = scores(converted[0], tiny)
    for real, _ in found["made"]:
        assert real[0] == real[1] == real[2]
    made = np.asarray([real[0] for real, _ in found["made"]])
    np.testing.assert_array_equal(made, np.concatenate([expected, expected], axis=1))
    stored = np.asarray([stored[0] for _, stored in found["made"]])
    np.testing.assert_array_equal((stored + 128) / 256, expected)
    assert found["said"] == "RangeError: image: got 2 values, expected 784"
    assert (found["inputs"][0]["shape"], found["classes"]) == ([28, 28], list(LABELS))
    assert found["outputs"][0]["scale"] == 1 / 256


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """Where the files are served."""
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_browser_shows_the_demo_from_the_disk_and_loads_the_module_from_a_server(
    folder: Path,
    address: str,
    converted: tuple[Path, Manifest],
    tiny: Tiny,
    browser: webdriver.Chrome,
) -> None:
    best = [LABELS[each] for each in scores(converted[0], tiny)[:10].argmax(axis=1)]
    browser.get((folder / "demo.html").as_uri())
    WebDriverWait(browser, 20).until(
        lambda page: "µs a call" in page.find_element(By.ID, "facts").text
    )
    examples = browser.find_elements(By.CSS_SELECTOR, "#examples button")
    shown = []
    for example in examples:
        example.click()
        shown.append(browser.find_element(By.CSS_SELECTOR, "#result .best td").text.strip())
    assert (len(examples), shown) == (10, [" ".join(each.split()) for each in best])
    webdriver.ActionChains(browser).click(browser.find_element(By.ID, "pad")).perform()
    assert browser.find_element(By.CSS_SELECTOR, "#result .best td").text
    browser.get(f"{address}/model.d.ts")
    made = browser.execute_async_script(
        f"const done = arguments[0]; import('{address}/model.mjs').then(async ({{ load }}) => "
        f"done([...(await load()).run({HELD_OUT.images[0].reshape(-1).tolist()})]));"
    )
    np.testing.assert_array_equal(made, scores(converted[0], tiny)[0])
    said: list[Any] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [each["message"] for each in said if "favicon" not in each["message"]] == []


def test_it_is_current_until_something_changes(folder: Path, inputs: ConversionInputs) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {"model.wasm", "model.mjs", "model.d.ts", "demo.html", "wasm.json"}
    assert is_current(INT8.name, SETTINGS, inputs)
    assert not is_current("tflite-int4", SETTINGS, inputs)
    assert not is_current(INT8.name, settings_of(INT8, ExportOptions(io="uint8")), inputs)
    for name in (*BESIDE, "model.wasm"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before + b"\n")
        assert not is_current(INT8.name, SETTINGS, inputs)
        (folder / name).write_bytes(before)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("byte", r"wasm: [\d,]+ of [\d,]+ output bytes differ"),
        ("compiler", "wasm: .* failed: .*broken"),
        ("refused", "wasm: Node.js cannot load .*: TypeError: .*Import #0"),
        ("endless", "wasm: Node.js cannot load .*: RuntimeError: unreachable"),
        ("no compiler", "wasm: got no compiler for WebAssembly .* install one"),
        ("no node", "wasm: got no Node.js.* install it"),
    ],
)
def test_what_is_not_proven_is_not_written(
    fault: str,
    said: str,
    converted: tuple[Path, Manifest],
    inputs: ConversionInputs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = inputs.record.folder / FOLDER
    folder.mkdir()
    (folder / "model.wasm").write_text("an earlier one")
    head = "void model_exported_run(void)\n{\n"
    wrong = {
        "byte": ("splat(to->zero)", "splat(to->zero + 1)"),
        "compiler": (head, f"#error broken\n{head}"),
        "refused": (head, f"{IMPORTED}{head}    no_such_function();\n"),
        "endless": ("unpack(void)\n{\n", "unpack(void)\n{\n    __builtin_trap();\n"),
    }

    def emit(*arguments: object) -> tuple[str, str]:
        header, source = module_source(*arguments)  # type: ignore[arg-type]
        before, after = wrong[fault]
        assert before in source
        return header, source.replace(before, after)

    if fault.startswith("no "):
        module, programs = PLACES[fault]
        for name in programs:
            if found := shutil.which(name):
                (tmp_path / name).symlink_to(found)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(f"export.{module}.find_spec", lambda name: None)
    else:
        monkeypatch.setattr("export.deploy.wasm.package.module_source", emit)
    with pytest.raises(ToolkitError, match=said) as error:
        make_package(*converted, inputs, NOW, provable=provable)
    assert "\n" not in str(error.value)
    assert [path.read_text() for path in folder.iterdir()] == ["an earlier one"]
    assert {path.name for path in folder.parent.iterdir()} <= {FOLDER, "model.keras", LOCK_FILE}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("float", "got .* of float32, expected an integer file"),
        ("damaged", ".*tflite-int8.tflite is damaged: .*; export it again"),
        ("kernel", "no kernel for FULLY_CONNECTED; use a format that browsers run .*, or replace"),
    ],
)
def test_a_file_without_kernels_is_refused_in_one_line(
    fault: str,
    said: str,
    tiny: Tiny,
    converted: tuple[Path, Manifest],
    inputs: ConversionInputs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, manifest = converted
    if fault == "float":
        path.write_bytes(tiny.made("tflite-float32").path.read_bytes())
    elif fault == "damaged":
        path.write_bytes(path.read_bytes()[:999])
    else:
        monkeypatch.delitem(STEPS, "FULLY_CONNECTED")
    other = replace(manifest, sha256=file_sha256(path))
    with pytest.raises(ArtifactError, match=f"^wasm: .*{said}"):
        make_package(path, other, inputs, NOW, provable=provable)
    assert not (inputs.record.folder / FOLDER).exists()

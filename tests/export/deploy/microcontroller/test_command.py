"""`python -m export --format tflm`, run as a user runs it."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from export.deploy.microcontroller.boards import BOARDS
from export.deploy.microcontroller.package import FOLDER
from tests.commands import REPOSITORY, assert_one_line_error, run_in_process, start, wait_for
from tests.conftest import made_once
from tests.test_bad_input import replace_model
from train.common.files.artifact import file_sha256

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def packaged(trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained artifacts, and the C source of their `tflite-int8`; said is in `said.txt`."""

    def make(folder: Path) -> None:
        shutil.copytree(trained_artifacts, folder, dirs_exist_ok=True)
        done = run_in_process("export", "--format", "tflm", "--artifacts", folder)
        assert (done.code, done.err) == (0, "")
        (folder / "said.txt").write_text(done.out)

    return made_once(tmp_path_factory, "tflm", make)


@pytest.fixture
def exported(packaged: Path, tmp_path: Path) -> Path:
    """A copy of them that a test may damage."""
    return Path(shutil.copytree(packaged, tmp_path / "artifacts"))


def files(folder: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if path.is_file()}


def test_the_command_makes_it_from_the_export_that_is_there_without_tensorflow(
    exported: Path, trained_artifacts: Path
) -> None:
    said = (exported / "said.txt").read_text()
    assert "loading TensorFlow" not in said
    assert max(map(len, said.splitlines())) <= 80
    before = files(trained_artifacts)
    assert before.items() <= files(exported).items()
    content = json.loads((exported / FOLDER / "tflm.json").read_text())
    assert content["model"]["sha256"] == before["tflite-int8.tflite"]
    assert f"{content['arena']['size_bytes']:,} bytes + stack" in said
    for board in BOARDS:
        assert board.name in said

    again = run_in_process("export", "--format", "tflm", "--artifacts", exported)
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[-1].split(maxsplit=1) == [
        *("tflm", "is up to date; --force makes it again")
    ]
    forced = run_in_process("export", "--format", "tflm", "--force", "--artifacts", exported)
    assert forced.out == said


def test_the_command_converts_for_other_options_and_leaves_the_export_be(exported: Path) -> None:
    before = files(exported)
    arguments = ("--format", "tflm", "--io", "uint8", "--artifacts", exported)
    done = run_in_process("export", *arguments)
    assert (done.code, done.err) == (0, "")
    assert files(exported) == before
    content = json.loads((exported / FOLDER / "tflm.json").read_text())
    assert content["inputs"][0]["dtype"] == "uint8"
    assert content["model"]["sha256"] != before["tflite-int8.tflite"]
    assert {check["passed"] for check in content["checks"]} == {True}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_export_that_is_cut_off_leaves_the_earlier_set(
    number: signal.Signals, exported: Path
) -> None:
    before = files(exported / FOLDER)
    process = start("export", "--format", "tflm", "--force", "--artifacts", exported)
    wait_for(process, "tflm: looking for the smallest tensor arena")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGKILL)
    assert files(exported / FOLDER) == before
    again = run_in_process("export", "--format", "tflm", "--artifacts", exported)
    assert "is up to date" in again.out


def test_a_full_disk_leaves_the_earlier_set(exported: Path, tmp_path: Path) -> None:
    """A real limit on file sizes stands in for the disk."""
    before = files(exported / FOLDER)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-m", "export", "--format", "tflm", "--force", "--artifacts", exported],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert files(exported / FOLDER) == before


def test_an_operator_that_tflm_lacks_is_named_and_the_other_formats_are_made(
    exported: Path,
) -> None:
    before = files(exported / FOLDER)
    trained = keras.saving.load_model(exported / "model.keras")
    flatten, hidden, _, last = trained.layers[1:]
    image = keras.Input((28, 28), name="image")
    outputs = last(keras.ops.gelu(hidden(flatten(image))))
    replace_model(exported, keras.Model(image, outputs))
    done = run_in_process("export", "--format", "tflite-float32,tflm", "--artifacts", exported)
    assert_one_line_error(done, "tflm: TFLM has no operator GELU, expected only those in")
    assert "accuracy drop" in done.out
    assert files(exported / FOLDER) == before

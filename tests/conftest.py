"""Fixtures: a tiny synthetic model for the fast tests, real trained artifacts for the slow ones."""

import fcntl
import os
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from tests.commands import EXPORT_ALL, GATE, REPOSITORY, SMALL_FIT, run_module
from train.common.command.progress import EVERY_STEP_VARIABLE

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

os.environ[EVERY_STEP_VARIABLE] = "1"  # tests wait for steps, and look which ones were taken
os.environ.pop("GITHUB_STEP_SUMMARY", None)  # that of the job that runs the tests


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts slow files first, or one worker would be left with them while the others have nothing.

    One of those that need trained artifacts comes before all, so that they are made while another
    worker runs what can do without.
    """

    def rank(file: Sequence[pytest.Item]) -> tuple[bool, bool]:
        slow = any(item.get_closest_marker("slow") for item in file)
        trained = any("trained_artifacts" in getattr(item, "fixturenames", ()) for item in file)
        return not slow, trained

    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    ordered = sorted(files.values(), key=rank)
    first = next((file for file in ordered if rank(file) == (False, True)), [])
    items[:] = [*first, *(item for file in ordered if file is not first for item in file)]


@dataclass(frozen=True)
class Synthetic:
    """Ten noisy prototypes of 28 by 28 pixels: images (N, 28, 28) uint8 and labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


def synthetic(count: int, seed: int) -> Synthetic:
    prototypes = np.random.RandomState(7).randint(0, 256, (10, 28, 28))
    random = np.random.RandomState(seed)
    labels = np.arange(count) % 10
    noisy = prototypes[labels] + random.normal(0, 60, (count, 28, 28))
    return Synthetic(images=np.clip(noisy, 0, 255).astype(np.uint8), labels=labels)


class Heard:
    """A `Progress` that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str, share: float | None = None) -> None:
        self.steps.append(text)

    def milestone(self, text: str) -> None:
        self.steps.append(text)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills once in a run of the tests, whichever worker comes first.

    It is shared: a test that changes what is in it copies it first.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def train_and_export(artifacts: Path) -> None:
    trained = run_module("train", *SMALL_FIT, "--artifacts", artifacts)
    assert trained.code == 0, trained.err
    exported = run_module("export", *EXPORT_ALL, "--artifacts", artifacts)
    assert exported.code == 0, exported.err
    assert exported.err == ""
    if kept := os.environ.get("KEEP_TRAINED"):
        shutil.copytree(artifacts, REPOSITORY / kept, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def trained_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model trained on the real data and exported to every format, by the commands."""
    return made_once(tmp_path_factory, "trained", train_and_export)


@pytest.fixture(scope="session")
def benchmarked_artifacts(
    trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The trained artifacts with `benchmark.json` and, in `stdout.txt`, what was printed."""

    def benchmark(folder: Path) -> None:
        shutil.copytree(trained_artifacts, folder, dirs_exist_ok=True)
        done = run_module("benchmark", "--artifacts", folder, *GATE)
        assert done.code == 0, done.out + done.err
        (folder / "stdout.txt").write_text(done.out)

    return made_once(tmp_path_factory, "benchmarked", benchmark)


@pytest.fixture(scope="session")
def retrained_artifacts(trained_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model than the one that the exports beside it were made from."""

    def retrain(folder: Path) -> None:
        shutil.copytree(trained_artifacts, folder, dirs_exist_ok=True)
        done = run_module("train", *SMALL_FIT, "--seed", "9", "--artifacts", folder)
        assert done.code == 0, done.err

    return made_once(tmp_path_factory, "retrained", retrain)


def install_device_extra(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    subprocess.run(
        [
            *(folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-compile", "--require-hashes", "-r", REPOSITORY / "requirements-device.txt"),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def device_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with `requirements-device.txt` and nothing else."""
    return made_once(tmp_path_factory, "device", install_device_extra) / "bin" / "python"


@pytest.fixture
def artifacts(trained_artifacts: Path, tmp_path: Path) -> Path:
    """A copy of the trained artifacts that a test may damage."""
    return Path(shutil.copytree(trained_artifacts, tmp_path / "artifacts"))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Debian's Chromium without a window; it keeps what a page says on its console."""
    if BROWSER is None or DRIVER is None:
        assert "REQUIRE_BROWSER" not in os.environ, "chromium and chromedriver are not installed"
        pytest.skip("chromium and chromedriver are not installed")
    options = Options()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (
        *("headless", "no-sandbox", "disable-gpu", "no-first-run", "window-size=1400,900"),
        *("disable-background-networking", "disable-component-update", "disable-sync"),
        f"user-data-dir={tmp_path / 'browser'}",
    ):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()

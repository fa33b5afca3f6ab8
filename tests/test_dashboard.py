"""The HParams dashboard as a person sees it: TensorBoard's page in a real browser."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.conftest import run_module

pytestmark = pytest.mark.slow
WAIT_S = 90
NUMBER = re.compile(r"[0-9.]+([eE][-+]?[0-9]+)?")
# Reads through shadow roots, which the page is made of.
VISIBLE_TEXT = """
const texts = [];
const walk = node => {
  if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent.trim());
  if (['SCRIPT', 'STYLE', 'TEMPLATE'].includes(node.nodeName)) return;
  if (node.shadowRoot) walk(node.shadowRoot);
  node.childNodes.forEach(walk);
};
walk(document.body);
return texts.filter(Boolean).join('\\n');
"""


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[str]:
    """The address of `make dashboard`'s TensorBoard over a search of three trials."""
    searched = run_module(
        *("train", "--recipe", "notebook", "--tuner", "random", "--trials", "3"),
        *("--search-epochs", "1", "--epochs", "1", "--artifacts", tmp_path),
    )
    assert searched.code == 0, searched.err
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path / "tensorboard.log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tensorboard.main", "--logdir", tmp_path / "logs"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            stdout=log,
            stderr=log,
        )
    until = time.monotonic() + WAIT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None, (tmp_path / "tensorboard.log").read_text()
        assert time.monotonic() < until
        time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def test_every_trial_is_on_the_page(
    tmp_path: Path, dashboard: str, browser: webdriver.Chrome
) -> None:
    trials = json.loads((tmp_path / "model.json").read_text())["search"]["trials"]
    units = {float(trial["units"]) for trial in trials}
    browser.get(f"{dashboard}/#hparams")
    until = time.monotonic() + WAIT_S
    while True:
        text = browser.execute_script(VISIBLE_TEXT).splitlines()
        numbers = {float(item) for item in text if NUMBER.fullmatch(item)}
        if {"units", "learning_rate"} <= set(text) and units <= numbers:
            break
        assert time.monotonic() < until, text
        time.sleep(0.5)
    if folder := os.environ.get("SCREENSHOTS"):
        browser.save_screenshot(str(Path(folder, "dashboard.png")))

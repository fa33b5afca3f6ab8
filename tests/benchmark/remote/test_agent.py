import json
import os
from pathlib import Path

import pytest

from benchmark.remote.agent import send_files


def test_files_are_sent_when_they_are_whole_and_again_when_they_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("run.json", "round-000.json.tmp"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "tflite-int8.tmp").mkdir()
    sent: dict[str, float] = {}
    for _ in range(2):
        send_files(tmp_path, "partial", sent)
    os.utime(tmp_path / "run.json", (9, 9))
    send_files(tmp_path, "partial", sent)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"partial": "run.json", "content": "e30="}] * 2

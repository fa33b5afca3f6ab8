from pathlib import Path

from benchmark.measure.worker.memory import resident_peak


def test_the_peak_is_the_kernels_and_in_bytes(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("VmPeak:\t    9000 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
    assert resident_peak(status) == 2 << 20

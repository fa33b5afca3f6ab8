import os
from pathlib import Path

import pytest

from train.common.environment import available_cores, pin, read_environment


def test_x86_and_arm_descriptions(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name\t: Fast CPU\nflags\t: fpu avx2 avx512_vnni\n\n")
    found = read_environment(cpuinfo)
    assert (found.cpu, found.cpu_features) == ("Fast CPU", ("avx2", "avx512_vnni"))
    cpuinfo.write_text("Features : fp asimd asimddp\nModel : Raspberry Pi 5 Model B\n")
    found = read_environment(cpuinfo)
    assert (found.cpu, found.cpu_features) == ("Raspberry Pi 5 Model B", ("asimd", "asimddp"))


def test_an_arm_core_is_named_by_its_number(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("CPU implementer : 0x41\nCPU part : 0xd08\nFeatures : fp asimd\n")
    assert read_environment(cpuinfo).cpu == "Cortex-A72"
    cpuinfo.write_text("CPU implementer : 0x61\nCPU part : 0xd08\n")  # another maker's 0xd08
    assert read_environment(cpuinfo).cpu != "Cortex-A72"


def test_an_emulated_machine_is_one_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_EXPORT_EMULATED", raising=False)
    assert not read_environment().emulated
    monkeypatch.setenv("EDGE_EXPORT_EMULATED", "1")
    assert read_environment().emulated


def test_a_machine_without_cpuinfo_is_described_too(tmp_path: Path) -> None:
    found = read_environment(tmp_path / "no")
    assert found.cpu
    assert found.cores >= 1
    assert found.memory_bytes > 2**20


def test_a_process_is_pinned_where_the_system_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = available_cores()
    assert pin({before[-1]})
    assert available_cores() == before[-1:]
    assert pin(before)
    assert available_cores() == before
    assert not pin({10_000})  # no such core: refused, as a container may refuse any
    monkeypatch.delattr(os, "sched_setaffinity")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert not pin(before)
    assert len(available_cores()) == os.cpu_count()

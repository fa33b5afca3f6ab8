from pathlib import Path

import pytest

from benchmark.measure.conditions import (
    Conditions,
    Counters,
    conditions,
    probe_ns,
    read_counters,
    summarize_conditions,
)


def counters(
    busy_s: float = 0, steal_s: float = 0, total_s: float = 0, own_s: float = 0, throttled: int = 0
) -> Counters:
    return Counters(
        busy_s=busy_s, steal_s=steal_s, total_s=total_s, throttled=throttled, own_s=own_s
    )


QUIET = Conditions(
    seconds=10,
    steal_share=0,
    other_load=0.05,
    throttled=0,
    governors=("performance",),
    probe_spread=1.02,
)


def test_counters_as_linux_tells_them(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  100 10 50 1000 40 0 20 30 0 0\ncpu0 1 1 1 1\n")
    folder = tmp_path / "cpu0" / "thermal_throttle"
    folder.mkdir(parents=True)
    (folder / "core_throttle_count").write_text("7\n")
    found = read_counters(tmp_path / "stat", tmp_path)
    assert found.total_s == pytest.approx(12.5)  # 100 ticks a second
    assert found.busy_s == pytest.approx(1.8)
    assert found.steal_s == pytest.approx(0.3)
    assert found.throttled == 7


def test_where_the_system_tells_nothing(tmp_path: Path) -> None:
    found = read_counters(tmp_path / "stat", tmp_path)
    assert (found.busy_s, found.steal_s, found.throttled) == (None, None, None)
    said = conditions(found, found, workers_s=0, seconds=1, cpus=tmp_path)
    assert (said.steal_share, said.other_load, said.throttled) == (None, None, None)
    assert summarize_conditions([said, said], []).causes() == []


def test_what_happened_in_between(tmp_path: Path) -> None:
    folder = tmp_path / "cpu0" / "cpufreq"
    folder.mkdir(parents=True)
    (folder / "scaling_governor").write_text("powersave\n")
    found = conditions(
        counters(),
        counters(busy_s=14, steal_s=2, total_s=20, own_s=1, throttled=3),
        workers_s=9,
        seconds=10,
        cpus=tmp_path,
    )
    assert found.steal_share == pytest.approx(0.1)
    assert found.other_load == pytest.approx(0.4)
    assert found.throttled == 3
    assert found.governors == ("powersave",)


def test_the_parts_of_a_run_are_weighted_by_their_length() -> None:
    other = Conditions(
        seconds=30,
        steal_share=0.04,
        other_load=1.05,
        throttled=2,
        governors=("performance",),
        probe_spread=None,
    )
    found = summarize_conditions([QUIET, other], [100] * 90 + [150] * 10)
    assert found.seconds == 40
    assert found.steal_share == pytest.approx(0.03)
    assert found.other_load == pytest.approx(0.8)
    assert found.throttled == 2
    assert found.probe_spread == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"other_load": 0.6}, "other load: other processes kept 0.6 cores busy"),
        ({"steal_share": 0.12}, "the hypervisor took 12% of the time"),
        ({"throttled": 4}, "throttling: cores were slowed by heat 4 times"),
        ({"governors": ("powersave",)}, "frequency scaling: the governor is powersave"),
        ({"probe_spread": 1.4}, "own speed varied by a factor of 1.40"),
    ],
)
def test_causes_are_named_with_their_figures(change: dict[str, object], words: str) -> None:
    fields = {**QUIET.as_json(), **change}
    causes = Conditions(**fields).causes()
    assert len(causes) == bool(words)
    assert words in " ".join(causes)


def test_the_probe_takes_time_and_leaves_the_affinity_alone() -> None:
    import os

    before = os.sched_getaffinity(0)
    assert probe_ns(min(before)) > 0
    assert os.sched_getaffinity(0) == before

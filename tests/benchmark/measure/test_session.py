from benchmark.measure.session import MAX_WORKERS, group_size

GB = 1 << 30


def test_as_many_workers_as_half_the_memory_holds() -> None:
    assert group_size(32 * GB) == MAX_WORKERS
    assert group_size(GB // 2) == 4
    assert group_size(GB // 8) == 2  # at least two, to take turns


def test_large_files_leave_room_for_fewer() -> None:
    assert group_size(8 * GB, GB // 4) == 7
    assert group_size(8 * GB, GB) == 1
    assert group_size(8 * GB, 100 * GB) == 1

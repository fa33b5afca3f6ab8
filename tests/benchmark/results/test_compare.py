from pathlib import Path

import pytest

from benchmark.judge.statistics import mcnemar_p, newcombe_interval
from benchmark.results.compare import Changes, RowChange, find_changes
from tests.benchmark.recorded import IMAGES, Content, changed, content, predictions, row, run


def compared(old: Content, new: Content, folder: Path) -> Changes:
    return find_changes(run(old, folder, "old.json"), run(new, folder, "new.json"))


def by_name(changes: Changes) -> dict[str, RowChange]:
    return {row.name: row for row in changes.rows}


def test_nothing_changed(tmp_path: Path) -> None:
    changes = compared(content(), content(), tmp_path)
    assert [row.kinds for row in changes.rows] == [(), (), ()]
    assert (changes.worse, changes.causes, changes.other_machine) == ((), (), ())
    assert changes.same_data


def test_rows_of_one_run_only(tmp_path: Path) -> None:
    new = content(row("second", 20.0), row("fourth"))
    changes = compared(content(), new, tmp_path)
    found = by_name(changes)
    assert [change.name for change in changes.worse] == ["first", "third"]
    assert {name: change.kinds for name, change in found.items()} == {
        "first": ("removed",),
        "second": (),
        "third": ("removed",),
        "fourth": ("added",),
    }


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("pass", "pass", ()),
        ("pass", "fail", ("worse verdict",)),
        ("pass", "error", ("worse verdict",)),
        ("inconclusive", "fail", ("worse verdict",)),
        ("fail", "error", ("worse verdict",)),
        ("pass", "inconclusive", ("other verdict",)),
        ("fail", "pass", ("other verdict",)),
    ],
)
def test_verdicts(before: str, after: str, kinds: tuple[str, ...], tmp_path: Path) -> None:
    old, new = (content({**row("a"), "verdict": verdict}) for verdict in (before, after))
    changes = compared(old, new, tmp_path)
    assert changes.rows[0].kinds == kinds
    assert bool(changes.worse) == (kinds == ("worse verdict",))


@pytest.mark.parametrize("name", ["size_bytes", "gzip_bytes"])
def test_a_single_byte_more_is_another_size_and_no_worse(name: str, tmp_path: Path) -> None:
    new = changed(lambda found: found["results"][1].update({name: 1_001}))
    changes = compared(content(), new, tmp_path)
    assert [row.kinds for row in changes.rows] == [(), ("other size",), ()]
    assert not changes.worse


def test_accuracy_is_paired_image_by_image(tmp_path: Path) -> None:
    """100 images wrong before; of those 10 are right now, and 40 others are wrong."""
    new = content(row("a", wrong=[*range(10, 100), *range(500, 540)]), row("b"))
    changes = compared(content(row("a"), row("b")), new, tmp_path)
    found = by_name(changes)["a"].predictions
    assert found is not None
    assert found.paired is not None
    assert found.flips == 50
    assert (found.paired.lost, found.paired.gained, found.paired.total) == (40, 10, IMAGES)
    assert found.paired.accuracy == pytest.approx(0.87)
    assert found.p == pytest.approx(2 * mcnemar_p(40, 10))  # Holm, for two rows
    assert by_name(changes)["a"].kinds == ("less accurate",)
    assert by_name(changes)["b"].kinds == ()
    assert [row.name for row in changes.worse] == ["a"]


def test_the_other_way_round_it_is_more_accurate(tmp_path: Path) -> None:
    old = content(row("a", wrong=[*range(10, 100), *range(500, 540)]))
    changes = compared(old, content(row("a")), tmp_path)
    assert changes.rows[0].kinds == ("more accurate",)
    assert not changes.worse


def test_as_much_lost_as_gained_is_other_predictions_only(tmp_path: Path) -> None:
    new = content(row("a", wrong=range(50, 150)))
    changes = compared(content(row("a")), new, tmp_path)
    assert changes.rows[0].kinds == ("other predictions",)
    assert changes.rows[0].predictions
    assert changes.rows[0].predictions.flips == 100
    assert not changes.worse


def test_one_row_of_many_needs_more_to_be_significant(tmp_path: Path) -> None:
    """Six lost, none gained: p = 0.031 alone, 0.094 among three."""
    worse = row("a", wrong=range(106))
    alone = compared(content(row("a")), content(worse), tmp_path)
    assert alone.rows[0].kinds == ("less accurate",)
    old = content(row("a"), row("b"), row("c"))
    among = compared(old, content(worse, row("b"), row("c")), tmp_path)
    assert among.rows[0].kinds == ("other predictions",)


def test_data_without_labels_has_flips_only(tmp_path: Path) -> None:
    def unlabelled(found: Content) -> None:
        found["data"]["labels"] = None

    new = content(row("a", wrong=range(300)))
    old, new = (changed(unlabelled, found) for found in (content(row("a")), new))
    changes = compared(old, new, tmp_path)
    found = changes.rows[0].predictions
    assert found is not None
    assert (found.flips, found.paired, found.p) == (200, None, None)
    assert changes.rows[0].kinds == ("other predictions",)
    assert not changes.worse


def test_on_other_data_nothing_is_paired(tmp_path: Path) -> None:
    def other_data(found: Content) -> None:
        found["data"] |= {"sha256": "c" * 64, "labels": found["data"]["labels"][:500]}
        found["source"]["predicted"] = found["source"]["predicted"][:500]
        for result in found["results"]:
            result["predicted"] = predictions(range(200))[:500]

    changes = compared(content(), changed(other_data), tmp_path)
    assert not changes.same_data
    for change in changes.rows:
        assert change.predictions is None
        assert change.unpaired is not None
        assert (change.unpaired.old, change.unpaired.new) == (0.9, 0.6)
        assert change.unpaired.drop_ci95 == newcombe_interval(900, 1000, 300, 500)
        assert change.kinds == ()
    assert not changes.worse


def test_the_same_images_with_other_labels_are_other_data(tmp_path: Path) -> None:
    other = changed(lambda found: found["data"]["labels"].reverse())
    assert not compared(content(), other, tmp_path).same_data


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cpu", "Other CPU", "processor Some CPU → Other CPU"),
        ("architecture", "aarch64", "architecture x86_64 → aarch64"),
        ("cores", 4, "cores 2 → 4"),
        ("cpu_features", ["avx2", "avx512f"], "only one has avx512f, fma"),
        ("memory_bytes", 16_000_000_000, "memory 8.0 → 16.0 GB"),
        ("emulated", True, "the new run was emulated"),
    ],
)
def test_latencies_of_another_machine_are_not_compared(
    field: str, value: object, words: str, tmp_path: Path
) -> None:
    new = changed(lambda found: found["environment"].update({field: value}))
    changes = compared(content(), new, tmp_path)
    assert len(changes.other_machine) == 1
    assert words in changes.other_machine[0]
    assert [row.latency for row in changes.rows] == [None] * 3
    assert all(row.predictions is not None for row in changes.rows)


def test_an_updated_machine_is_the_same_and_updates_are_named(tmp_path: Path) -> None:
    def update(found: Content) -> None:
        found["environment"] |= {"system": "Linux-6.2", "memory_bytes": 8_010_000_000}
        found["versions"] = {"onnxruntime": "1.21.0", "ai-edge-litert": "2.0.0"}
        found["settings"]["baseline"] = 0.8
        found["source"]["sha256"] = "d" * 64

    changes = compared(content(), changed(update), tmp_path)
    assert changes.other_machine == ()
    assert all(row.latency is not None for row in changes.rows)
    assert changes.causes == (
        "another Keras model: aaaaaaaaaaaa… → dddddddddddd…, so other weights",
        "numpy 2.0.0 → none",
        "onnxruntime 1.20.0 → 1.21.0",
        "system Linux-6.1 → Linux-6.2",
        "ai-edge-litert none → 2.0.0",
        "baseline 0.88 → 0.8",
    )


def test_a_row_that_could_not_be_measured_has_its_verdict_and_size_compared(
    tmp_path: Path,
) -> None:
    broken = {
        **row("a"),
        "verdict": "error",
        "reasons": ["it broke"],
        "size_bytes": None,
        "predicted": None,
        "latency_us": None,
        "rounds_quiet": [],
    }
    (change,) = compared(content(row("a")), content(broken), tmp_path).rows
    assert change.kinds == ("worse verdict", "other size")
    assert (change.predictions, change.latency) == (None, None)

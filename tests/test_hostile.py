"""The table of odd files, in process; `python -m tests.hostile` prints its count."""

from pathlib import Path

import pytest

from tests.bundles import write_inputs
from tests.hostile.cases import cases
from tests.hostile.places import PLACES, Place, said_of_manifest


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_an_odd_file_is_one_line_or_an_error_row(place: Place) -> None:
    found = [case for case in cases() if case.place is place]
    wrong = {case.name: said for case in found if (said := case.run()) is not None}
    assert len(found) >= 19
    assert wrong == {}


def test_the_files_that_are_made_odd_are_sound_before(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    assert said_of_manifest(tmp_path) is None

import pytest

from tests.export.convert.mixed.models import LARGE_UNIT, Case, case_of, outlier
from tests.export.convert.mixed.models import masked as computed_mask
from tests.export.convert.mixed.models import units as own_units


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(computed_mask, tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(outlier, tmp_path_factory.mktemp("outlier"))


@pytest.fixture(scope="session")
def units(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(own_units, tmp_path_factory.mktemp("units"), LARGE_UNIT)

import pytest

from tests.export.convert.mixed.models import Case, case_of, outlier
from tests.export.convert.mixed.models import masked as computed_mask


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(computed_mask, tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(outlier, tmp_path_factory.mktemp("outlier"))

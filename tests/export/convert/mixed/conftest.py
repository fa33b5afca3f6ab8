import pytest

from tests.export.convert.mixed.models import Case, case_of, causal, outlier


@pytest.fixture(scope="session")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(causal, tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(outlier, tmp_path_factory.mktemp("outlier"))

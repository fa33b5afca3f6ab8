from xml.etree import ElementTree as ET

from tests.benchmark.report.contents import VARIED, read
from tests.pictures import table_svg


def test_the_table_is_a_picture_that_asks_for_nothing() -> None:
    svg = table_svg(read(VARIED))
    texts = "".join(ET.fromstring(svg).itertext()).replace("\xa0", " ")  # noqa: S314
    for row in VARIED["results"]:
        assert row["name"] in texts
    assert "accuracy 95.00%" in texts
    assert "url(" not in svg.replace("url(#", "")
    assert table_svg(read(VARIED)) == svg

"""Products with damaged files end in a clear error, or in pixels.

``SEAICE_FUZZ=3000 pytest tests/seaice_data/ingest/test_fuzzed_products.py`` tries more.
"""

import os
import random
import re
import shutil
from pathlib import Path

import pytest
from support.tiny_product import write_product, zipped

from seaice_data.conventions import DENOISINGS
from seaice_data.errors import SeaIceError
from seaice_data.ingest.sentinel1 import find_products, read_sentinel1

N_VARIANTS = int(os.environ.get("SEAICE_FUZZ", "24"))
ODD_NUMBERS = ("-1", "0", "1e308", "nan", "inf", "9" * 20, "", "x", "-5 7", "0.5")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a product that is whole."""
    return write_product(tmp_path_factory.mktemp("whole"))


def damaged(content: bytes, choose: random.Random) -> bytes:
    """Return a file of which a part is cut off, lost, doubled, another byte or number."""
    start, end = sorted(choose.choices(range(len(content)), k=2))
    few = start + choose.randrange(60)
    kind = choose.randrange(5)
    if kind == 0:
        return content[:start]
    if kind == 1:
        return content[:start] + content[few:]
    if kind == 2:
        return content[:end] + content[start:few] + content[end:]
    if kind == 3:
        return content[:start] + choose.randbytes(1) + content[start + 1 :]
    text = content.decode("latin-1")
    numbers = list(re.finditer(r"\d+(\.\d+)?", text)) or [re.compile("").search(text)]
    one = choose.choice(numbers)
    assert one is not None
    odd = choose.choice(ODD_NUMBERS)
    return f"{text[: one.start()]}{odd}{text[one.end() :]}".encode("latin-1")


@pytest.mark.parametrize("number", range(N_VARIANTS))
def test_damage_is_named_in_one_line(product: Path, number: int, tmp_path: Path) -> None:
    choose = random.Random(number)  # noqa: S311 - not for secrets
    copy = tmp_path / product.name
    shutil.copytree(product, copy)
    inside = choose.choice(sorted(p for p in copy.rglob("*") if p.is_file()))
    kind = ("a file", "a file in a zip", "a zip")[number % 3]
    if kind != "a zip":
        inside.write_bytes(damaged(inside.read_bytes(), choose))
    if kind != "a file":
        copy = zipped(copy)
    if kind == "a zip":
        copy.write_bytes(damaged(copy.read_bytes(), choose))
    reason = ""
    try:
        read_sentinel1(copy, choose.choice(DENOISINGS))
    except SeaIceError as error:
        reason = str(error)
    assert reason == "" or reason.isprintable()
    try:
        reason = str(find_products(copy.parent))
    except SeaIceError as error:
        reason = str(error)
    assert product.name in reason or "download.zip" in reason

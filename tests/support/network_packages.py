"""A package with networks, installed in a folder on the path: no network, no pip."""

import importlib
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parent / "network_package"
_MODULE = "ice_networks"


@contextmanager
def installed(folder: Path, *, name: str = "", version: str = "") -> Iterator[None]:
    """Install `network_package` in a folder, under another name or version if given."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
    name = name or project["project"]["name"]
    version = version or project["project"]["version"]
    described = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )
    groups = project["project"]["entry-points"]
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in points.items()))
    ]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")
    shutil.copy(PACKAGE / f"{_MODULE}.py", folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(_MODULE, None)
        shutil.rmtree(folder)
        importlib.invalidate_caches()

"""Archives of files, and what a folder contains."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


def packed(
    files: Mapping[str, bytes],
    kind: str = "w:gz",
    links: Mapping[str, tuple[str, bytes]] = MappingProxyType({}),
) -> bytes:
    """Return an archive of a folder, files and links: their targets and types by name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=kind) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("./train")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, (target, link_type) in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = link_type, target
            archive.addfile(link)
    return stream.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}

"""Folders on disks that lack what most disks can do."""

from pathlib import Path

import pytest
from support.other_systems import OtherSystem

PUT_NEW = """
import os, sys
from seaice_data.storage.local_folder import LocalFolder

root, *failing = sys.argv[1:]
for number in failing:
    os.environ["FAIL_LINK"] = number
    store = LocalFolder(f"{root}/{number}")
    store.put_new("scenes/zarr.json", b"first")
    store.put_new("scenes/zarr.json", b"second")
    # A link to nothing: there is a file of this name, which a first look does not see.
    os.symlink("nowhere", store.local("scenes", "taken"))
    store.put_new("scenes/taken", b"third")
    assert store.local("scenes/zarr.json").read_bytes() == b"first"
    assert os.readlink(store.local("scenes", "taken")) == "nowhere"
    store.drop_staging()
    assert store.names() == ["scenes"]
    assert store.names("scenes") == ["taken", "zarr.json"]
"""


# renameat2 fails as in old kernels (ENOSYS), on network disks (EINVAL), or not;
# links fail as on exFAT (EPERM), BeeGFS (EXDEV), at their limit (EMLINK), in FUSE (ENOSYS),
# on SMB (EOPNOTSUPP).
@pytest.mark.parametrize("renameat2", [None, 38, 22])
def test_a_new_file_replaces_none_on_disks_without_links(
    tmp_path: Path, other_system: OtherSystem, renameat2: int | None
) -> None:
    failing = {} if renameat2 is None else {"renameat2": renameat2}
    other_system.python(PUT_NEW, tmp_path, 1, 18, 31, 38, 95, **failing)

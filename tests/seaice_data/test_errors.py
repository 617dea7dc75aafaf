"""Errors say what to do in a traceback, too, and nothing twice."""

import copy
import errno
import pickle
import traceback
from pathlib import Path

import pytest

from seaice_data.errors import SceneError, SettingsError, StoreError, is_of_disk
from seaice_data.scenes.files import open_scene
from seaice_data.settings import assign, read_toml
from seaice_data.store.recipe import Recipe


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_traceback_ends_with_the_hint() -> None:
    error = StoreError("no store at 'a.zarr'", hint="make one")
    assert printed(error).endswith("StoreError: no store at 'a.zarr'\nhint: make one\n")
    assert printed(StoreError("no store")).endswith("StoreError: no store\n")


@pytest.mark.parametrize("travel", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])  # noqa: S301
def test_a_copy_has_the_hint_once(travel) -> None:  # type: ignore[no-untyped-def]
    error = travel(SceneError("bad", hint="mend it"))
    assert (type(error), str(error), error.hint) == (SceneError, "bad", "mend it")
    assert printed(error).count("mend it") == 1


def test_tracebacks_do_not_say_it_twice(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("ratio = 'x'")
    (tmp_path / "a.nc").write_text("not netCDF")
    with pytest.raises(SettingsError) as of_settings:
        assign(Recipe(), {"ratio": "x"})
    with pytest.raises(SettingsError) as of_toml:
        read_toml(Recipe, tmp_path / "a.toml")
    with pytest.raises(SceneError) as of_scene:
        open_scene(tmp_path / "a.nc")
    for caught in (of_settings, of_toml, of_scene):
        text = printed(caught.value)
        assert text.count("Traceback") == 1
        assert text.count(str(caught.value)) == 1


def test_a_full_disk_is_recognised_behind_the_error_of_ours() -> None:
    def write(number: int) -> None:
        raise OSError(number, "it says")

    def fail(number: int) -> BaseException:
        try:
            try:
                write(number)
            except OSError as error:
                raise SceneError(f"cannot write: {error}") from None
        except SceneError as error:
            try:
                raise StoreError(str(error)) from None
            except StoreError as caught:
                return caught

    assert is_of_disk(fail(errno.ENOSPC))
    assert not is_of_disk(fail(errno.EACCES))

"""Divide scenes into those that train, validate and test.

Scenes of one orbit pass overlap in time and place, so they stay in one split. The published
lists of the challenge ignore this, and two test scenes leak.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from seaice_data.errors import SettingsError
from seaice_data.scene_id import SceneId
from seaice_data.system.documents import DocumentError, read_text
from seaice_data.texts import agreeing, counted

TEST_IDS = frozenset(
    {
        "20180124T194759_dmi",
        "20180623T114935_cis",
        "20180707T113313_cis",
        "20180716T110418_cis",
        "20180903T123331_cis",
        "20180917T121813_cis",
        "20190406T102029_cis",
        "20190810T110422_dmi",
        "20191011T131651_cis",
        "20200217T102731_cis",
        "20200319T101935_cis",
        "20200701T114012_cis",
        "20200719T123046_cis",
        "20201013T080448_dmi",
        "20210328T202742_dmi",
        "20210410T201933_dmi",
        "20210430T205436_dmi",
        "20210506T075557_dmi",
        "20210512T214149_cis",
        "20211212T211242_dmi",
    }
)
"""The 20 test scenes of the AutoICE challenge."""

N_VALIDATION = 20
"""Validation scenes (Chen et al. 2024, Table 3)."""

_PASS = timedelta(minutes=10)  # slices of one pass start a minute apart


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitSettings:
    """How the scenes of a store are divided, where it differs from the default."""

    seed: int = 0
    """Seed for choosing the validation scenes at random."""

    test: tuple[SceneId, ...] | None = None
    """Ids of the test scenes; if not given, those of the challenge and those that came as
    test files. Own scenes without a chart are test scenes in any case."""

    validation: tuple[SceneId, ...] | None = None
    """Ids of the validation scenes; chosen at random if not given."""

    allow_leaks: bool = False
    """Let scenes of one orbit pass be in different splits, as the published lists do."""

    def __post_init__(self) -> None:
        """Reject lists that share a scene."""
        if both := sorted({*(self.test or ())} & {*(self.validation or ())}):
            verb = agreeing(len(both), "is", "are")
            raise SettingsError(
                f"{counted(len(both), 'scene')} {verb} in the test and in the validation "
                "list: " + ", ".join(both[:3]),
                hint="take them out of one of the two",
            )


def split_scenes(
    ids: Iterable[str],
    tests: Iterable[str] = TEST_IDS,
    seed: int = 0,
    *,
    validation: Iterable[str] | None = None,
    allow_leaks: bool = False,
    unlabelled: Iterable[str] = (),
) -> dict[str, tuple[str, ...]]:
    """Divide scenes into ``train``, ``validation`` and ``test``.

    Scenes in `tests` are test scenes. Of the others, those in `validation` are validation
    scenes; if it is not given, 20 chosen by `seed`, or a fifth if there are fewer than 100.
    Scenes from the pass of a test scene neither train nor validate; other scenes of one
    pass are in the same split.

    Parameters
    ----------
    ids
        Scene ids, as ``20180607T184326_dmi``.
    tests
        Ids of test scenes; those not among `ids` are ignored.
    seed
        The choice of a scene depends on the seed and its id, so adding scenes changes the
        split of few others.
    validation
        Ids of validation scenes, instead of a random choice. The rest of their pass is left
        out.
    allow_leaks
        Ignore orbit passes: divide scene by scene.
    unlabelled
        Ids of scenes to map only: they are test scenes, but unless they are in `tests`,
        too, the rest of their pass is divided as if they were not there.

    Returns
    -------
    dict
        Ids by name of the split, sorted. Scenes left out because of their pass are in none.

    Examples
    --------
    >>> split_scenes(["20180101T100000_cis", "20180707T113313_cis"])
    {'train': ('20180101T100000_cis',), 'validation': (), 'test': ('20180707T113313_cis',)}
    """
    tests = set(tests)
    mapped = set(unlabelled) - tests
    ids = sorted(set(ids) - mapped)
    passes = [(scene,) for scene in ids] if allow_leaks else orbit_passes(ids)
    free = [group for group in passes if not tests.intersection(group)]
    if validation is None:
        train, validating = _choose_validation(free, seed)
    else:
        wanted = set(validation) - tests
        train = [i for group in free if not wanted.intersection(group) for i in group]
        validating = [i for group in free for i in group if i in wanted]
    return {
        "train": tuple(sorted(train)),
        "validation": tuple(sorted(validating)),
        "test": tuple(sorted(mapped.union(tests.intersection(ids)))),
    }


def split_folds(
    ids: Iterable[str], n_folds: int, seed: int = 0
) -> tuple[tuple[SceneId, ...], ...]:
    """Divide scenes into folds for cross-validation, each scene into one.

    Scenes of one orbit pass are in the same fold. The scenes of each ice service and month
    are spread over the folds as evenly as whole passes allow, and then all scenes are.

    Parameters
    ----------
    ids
        Scene ids, without test scenes and other scenes of their passes.
    n_folds
        Number of folds, at least 2.
    seed
        Another seed gives other folds.

    Returns
    -------
    tuple
        The scenes of each fold, sorted.

    Raises
    ------
    SettingsError
        If there are fewer than two folds, or fewer orbit passes than folds.

    Examples
    --------
    >>> ids = ["20180101T100000_cis", "20180101T100100_cis", "20180707T113313_cis"]
    >>> split_folds(ids, 2)
    (('20180101T100000_cis', '20180101T100100_cis'), ('20180707T113313_cis',))
    """
    passes = orbit_passes(ids)
    if not 2 <= n_folds <= len(passes):
        raise SettingsError(
            f"{len(passes)} orbit passes of training and validation scenes cannot be "
            f"divided into {n_folds} folds",
            hint=f"ask for 2 to {len(passes)} folds" if len(passes) > 1 else None,
        )
    folds: list[list[SceneId]] = [[] for _ in range(n_folds)]
    of_month = [Counter[str]() for _ in folds]
    # The largest passes come first: later ones even out the differences that they leave.
    for group in sorted(passes, key=lambda group: (-len(group), _rank(seed, group[0]))):
        month = f"{group[0].service} {group[0].acquired.month}"
        place = min(range(n_folds), key=lambda k: (of_month[k][month], len(folds[k])))
        folds[place] += group
        of_month[place][month] += len(group)
    return tuple(tuple(sorted(fold)) for fold in folds)


def orbit_passes(ids: Iterable[str]) -> list[tuple[SceneId, ...]]:
    """Group scenes whose acquisitions follow each other within an orbit pass.

    Each scene starts at most ten minutes after another. Such scenes overlap, so scores on
    one are too high if another was used for training.

    Parameters
    ----------
    ids
        Scene ids, in any order.

    Returns
    -------
    list
        The scenes of each pass, sorted.

    Examples
    --------
    >>> orbit_passes(["20180101T100100_cis", "20180707T113313_cis", "20180101T100000_cis"])
    [('20180101T100000_cis', '20180101T100100_cis'), ('20180707T113313_cis',)]
    """
    groups: list[list[SceneId]] = []
    last = datetime.min.replace(tzinfo=UTC)
    for scene in sorted(map(SceneId, {*ids})):
        if scene.acquired - last > _PASS:
            groups.append([])
        groups[-1].append(scene)
        last = scene.acquired
    return [tuple(group) for group in groups]


def read_ids(text: str) -> tuple[SceneId, ...]:
    """Find the scene ids in a list: JSON or one per line, ids or names of files.

    Raises
    ------
    SettingsError
        If there is none, or the digits of one are not a time.

    Examples
    --------
    >>> read_ids('["20180124T194759_dmi_prep.nc"]')
    ('20180124T194759_dmi',)
    >>> read_ids("S1A_EW_20180124T194759_20180124T194859_1F75_icechart_dmi_2018_RIC.nc")
    ('20180124T194759_dmi',)
    """
    try:
        ids = tuple(SceneId.find_all(text))
    except ValueError as error:
        raise SettingsError(f"{error}, in the list of scenes") from None
    if not ids:
        raise SettingsError(
            "no scene id in the list", hint="ids are written as 20180124T194759_dmi"
        )
    return ids


def read_id_file(path: Path) -> tuple[SceneId, ...]:
    """Read a file with a list of scene ids; see `read_ids`.

    Raises
    ------
    SettingsError
        If it cannot be read, or contains no id.
    """
    try:
        return read_ids(read_text(path))
    except OSError as error:
        reason = error.strerror or str(error)
    except DocumentError as error:
        reason = str(error)
    except SettingsError as error:
        raise SettingsError(f"{str(path)!r}: {error}", hint=error.hint) from None
    raise SettingsError(f"cannot read scene ids from {str(path)!r}: {reason}")


def _choose_validation(
    free: Sequence[Sequence[str]], seed: int
) -> tuple[list[str], list[str]]:
    """Choose whole passes at random; return training scenes and validation scenes."""
    ranked = sorted(free, key=lambda group: _rank(seed, group[0]))
    n_scenes = sum(map(len, free))
    wanted = min(N_VALIDATION, n_scenes // 5 if n_scenes >= 5 else n_scenes // 2)
    train: list[str] = []
    validating: list[str] = []
    for group in ranked:
        (validating if len(validating) + len(group) <= wanted else train).extend(group)
    return train, validating


def leaking_pairs(
    splits: Mapping[str, Iterable[str]], unlabelled: Iterable[str] = ()
) -> list[tuple[SceneId, SceneId]]:
    """Return pairs of scenes of one orbit pass that are in different splits.

    Scenes that are `unlabelled` are not scored, so they are in no pair.
    """
    side = {scene: name for name, scenes in splits.items() for scene in scenes}
    for scene in unlabelled:
        side.pop(scene, None)
    pairs = []
    for group in orbit_passes(side):
        for k, first in enumerate(group):
            pairs += [
                (first, other) for other in group[k + 1 :] if side[first] != side[other]
            ]
    return pairs


def _rank(seed: int, scene: str) -> bytes:
    """Return the rank of a scene, which depends only on the seed and the scene."""
    return hashlib.sha256(f"{seed} {scene}".encode()).digest()

"""Names of networks: our own, and those that installed packages register.

A package registers a network in its ``pyproject.toml``, as an entry point::

    [project.entry-points."seaice.networks"]
    small-cnn = "my_package.networks:small_cnn"

The function that it names is described in `seaice_model.networks.registry`. Here only the
descriptions of installed packages are read; none is imported.
"""

from importlib.metadata import EntryPoint, entry_points, version

from seaice_data.settings import nearest
from seaice_data.system.extras import extra
from seaice_data.texts import printable, shortened
from seaice_model.errors import ConfigError, RunError

GROUP = "seaice.networks"
"""Group of the entry points."""

UNET = "unet"
SWIN = "swin-unetr"

OUR_NETWORKS = (UNET, SWIN)
"""Names that no package can take."""


def known_networks() -> tuple[str, ...]:
    """Return the names of all networks that can be built here."""
    registered = sorted({printable(point.name) for point in entry_points(group=GROUP)})
    return (*OUR_NETWORKS, *(name for name in registered if name not in OUR_NETWORKS))


def find_network(name: str) -> EntryPoint | None:
    """Return the entry point called `name`; None for a network of ours.

    Raises
    ------
    ConfigError
        If there is none, or several packages register one (the hint names them).
    """
    if name in OUR_NETWORKS:
        return None
    found: list[EntryPoint] = [*entry_points(group=GROUP, name=name)]
    if not found:
        raise ConfigError(
            f"unknown network {shortened(printable(name))!r}",
            hint=f"{nearest(name, known_networks())} (others come with packages that "
            f"register them as {GROUP!r})",
        )
    if len(found) > 1:
        packages = ", ".join(sorted(map(_package, found)))
        raise ConfigError(
            f"several packages register the network {name!r}: {packages}",
            hint="uninstall all of them but one",
        )
    return found[0]


def package_of(name: str) -> str:
    """Return name and version of the package that a network is from; "" for the U-Net.

    Raises
    ------
    ConfigError
        If no network has this name, or several have.
    RunError
        If it is ours, and the package that it is built from is not installed.

    Examples
    --------
    >>> package_of("unet")
    ''
    """
    if name == SWIN:
        with extra("networks", RunError):
            return f"monai {version('monai')}"
    point = find_network(name)
    return "" if point is None else _package(point)


def check_package(name: str, package: str) -> None:
    """Refuse a network of a run that is not installed, or is that of another package.

    Parameters
    ----------
    name
        Name of the network.
    package
        Name and version of the package that it was trained from; another version is fine.

    Raises
    ------
    RunError
        If no installed package has the network, several have it, or another one has it.
    """
    wanted = shortened(printable(package))
    try:
        found = package_of(name)
    except ConfigError as error:
        is_known = name in known_networks()
        raise RunError(
            f"the run needs the network {name!r} of the package {wanted!r}: {error}",
            hint=error.hint if is_known else "install that package, if you trust it",
        ) from error
    if found.partition(" ")[0] != package.partition(" ")[0]:
        raise RunError(
            f"the network {name!r} of the run is from the package {wanted!r}, here it is "
            f"from {found!r}",
            hint="install the package that the run was trained with, if you trust it",
        )


def _package(point: EntryPoint) -> str:
    if point.dist is None:
        return "a package without a name"
    return shortened(printable(f"{point.dist.name} {point.dist.version}"))

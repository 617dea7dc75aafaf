"""The documentation as a site: ``make docs`` builds it, without a network.

Pages are Markdown (MyST). Those with a ``kernelspec`` in their header are notebooks, run at
the build in a temporary folder. `reference.py` makes the references of commands and public
names. Warnings are errors.
"""

import os
import re
import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

# Notebooks call `seaice` of this environment, and leave nothing in the home of the user.
_settings = DOCS / "_build" / "settings"
for name in (
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "MPLCONFIGDIR",
):
    (_settings / name).mkdir(parents=True, exist_ok=True)
    os.environ[name] = str(_settings / name)
_startup = _settings / "IPYTHONDIR" / "profile_default" / "startup"
_startup.mkdir(parents=True, exist_ok=True)
shutil.copy(DOCS / "notebook_start.py", _startup)
_quiet = "c.Application.log_level = 'ERROR'  # not that loopback is not encrypted"
(_startup.parent / "ipython_kernel_config.py").write_text(f"{_quiet}\n")
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # as many notebooks at a time as processors
os.environ["COLUMNS"] = "80"

project = "seaice"
author = "The seaice developers"
copyright = author  # noqa: A001 - Sphinx's name
version = release = installed_version("seaice")

extensions = [
    "myst_nb",
    "numpydoc",
    "reference",
    "sphinx.ext.autodoc",
    "sphinx_design",
]
exclude_patterns = ["_build"]

smartquotes = False  # what is quoted can be copied

# Markdown.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

# Notebooks.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_show_tb = True  # as a warning, which is an error
nb_execution_timeout = -1  # a loaded machine is not an error
nb_merge_streams = True

# Docstrings.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 70
default_role = "py:obj"  # links to public names; a parameter is only code
numpydoc_show_class_members = False
add_module_names = False

# Pages. All that they need is beside them: they are read without a network.
html_theme = "pydata_sphinx_theme"
html_title = "seaice"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_sidebars = {"**": ["menu.html"]}
html_css_files = ["seaice.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_center": [],  # all pages are in the menu on the left
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": ["page-toc"],
}

ELSEWHERE = {
    "../seaice_data/STORE.md": "store-format.md",
    "../seaice_model/STUDY.md": "study.md",
}
"""Pages that show a document which is elsewhere in the repository."""


def link_to_pages(_app: "Sphinx", _name: str, content: list[str]) -> None:
    """Make links to documents elsewhere links to the pages that show them."""
    for document, page in ELSEWHERE.items():
        content[0] = content[0].replace(f"]({document}", f"]({page}")


def refuse_the_network(app: "Sphinx", failure: Exception | None) -> None:
    """Fail if a page loads anything that is not beside it: it is read without a network."""
    if failure is not None:
        return
    for page in Path(app.outdir).rglob("*.html"):
        tags = re.findall(r"<(?:script|img|link|iframe)\b[^>]*>", page.read_text())
        if loaded := [
            tag for tag in tags if re.search(r'(?:src|href)="(?:https?:)?//', tag)
        ]:
            raise ExtensionError(f"{page} needs a network: {loaded[0]}")


def setup(app: "Sphinx") -> dict[str, bool]:
    """Register what only this site needs."""
    app.connect("source-read", link_to_pages)
    app.connect("build-finished", refuse_the_network)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

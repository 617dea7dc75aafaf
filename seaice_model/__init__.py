"""Train the multi-task U-Net on a patch store, predict ice charts with it, and score them.

The public names are listed in ``__init__.pyi`` and imported when they are first used, so
the settings load without PyTorch. Inside the project, import from the modules.
"""

from lazy_loader import attach_stub

from seaice_data.deprecation import former_names

_find, __dir__, __all__ = attach_stub(__name__, __file__)
__getattr__ = former_names(
    _find,
    {
        "draw_chart_map": "compose_chart_map",
        "load_reference_state_dict": "load_official_state_dict",
    },
)

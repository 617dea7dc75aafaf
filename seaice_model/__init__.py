"""Train the multi-task U-Net on a patch store, predict ice charts with it, and score them.

The public names are listed in ``__init__.pyi`` and imported when they are first used: the
settings load without PyTorch. Inside the project import the modules.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

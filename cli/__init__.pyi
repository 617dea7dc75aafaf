# What type checkers and editors see; `__init__.py` loads each name when it is first used.
from seaice_data import *
from seaice_model import *

"""The coordination primitives, one in each module; importing the package imports all modules, which registers them."""

import importlib
import pkgutil

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

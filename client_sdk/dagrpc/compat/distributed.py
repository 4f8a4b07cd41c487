"""`distributed` as dagrpc has it; `dagrpc.install_as_distributed()` puts it in the place of the real one."""

from __future__ import annotations

import sys

from dagrpc.compat.modules import CompatModule, Finder

# Unlike a module of a file, this one looks its names up, and has submodules that are no files.
_module = CompatModule("")
_module.__spec__ = __spec__
_module.__file__ = __file__
sys.modules[__name__] = _module
sys.meta_path.append(Finder(__name__))

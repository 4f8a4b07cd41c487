"""dagrpc's `distributed`; `dagrpc.install_as_distributed()` puts it in place of the real one."""

from __future__ import annotations

import sys

from dagrpc.compat.modules import CompatModule, Finder

# This module looks up its names when they are used, and has submodules that are no files.
_module = CompatModule("")
_module.__spec__ = __spec__
_module.__file__ = __file__
sys.modules[__name__] = _module
sys.meta_path.append(Finder(__name__))

"""What a cluster did: recordings, figures and reports."""

from __future__ import annotations

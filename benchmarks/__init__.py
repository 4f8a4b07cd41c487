"""dagrpc measured against distributed, side by side on one machine; see run.py."""

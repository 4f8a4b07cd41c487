"""The dashboard: pages of panels, and one stream of changes for each viewer."""

"""A year of flights out of New York, on a cluster: tables, models and a pairwise statistic; see main.py."""

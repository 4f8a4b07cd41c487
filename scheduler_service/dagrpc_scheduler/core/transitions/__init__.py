"""How tasks get from state to state: the table, and one file for each state that they get to."""

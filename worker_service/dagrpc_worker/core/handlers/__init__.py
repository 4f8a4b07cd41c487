"""What each event changes, by who sends it. A handler changes facts; the states follow (see `transitions`)."""

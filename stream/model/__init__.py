"""From features to a probability, a band and the reasons. Pure."""

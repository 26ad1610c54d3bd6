"""From a band change to what automation does about it. Pure."""

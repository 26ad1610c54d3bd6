"""How good the scores are: measured on a log, against what one would use otherwise."""

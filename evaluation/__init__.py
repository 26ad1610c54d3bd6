"""`make evaluate`: bandshift against other models on real logs."""

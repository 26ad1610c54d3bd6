"""One partition of touchpoints: what comes in, what is kept beside its customers, what goes out. Pure."""

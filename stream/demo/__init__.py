"""The demo: a deployment of its own that lives for one run, and a real shop's touchpoints to show it on."""

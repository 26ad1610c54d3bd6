"""The commands of `bandshift`, one module each; `command` is what click calls."""

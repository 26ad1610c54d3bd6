"""What is known of a customer as numbers: declared features over packed tiles of time. Pure."""

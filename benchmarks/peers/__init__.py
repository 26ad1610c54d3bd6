"""What one would build otherwise, as programs of their own; they share this project's pure code."""

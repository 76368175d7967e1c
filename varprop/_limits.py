"""What all of the package keeps to; it loads nothing, so that a command's help may read it."""

MAX_NETWORKS = 10**9
"""Of a sample: beyond this nobody samples, and no plan looks."""

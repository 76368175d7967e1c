"""Random networks in, measured quantities out; the engine knows no theory."""

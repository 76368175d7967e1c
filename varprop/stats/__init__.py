"""From arrays of measurements, one row a network, to estimates, p-values and verdicts; knows no networks."""

"""What each part of an audit looks for, in words."""

MEANINGS = {
    "shape": "the shape that was asked for",
    "values": "finite numbers, of more than one value unless the law has one",
    "mean": "the mean, within the margin",
    "variance": "the variance, within the margin",
    "distribution": "Kolmogorov's distance from the law, within its margin",
    "bounds": "draws where the law never is",
    "symmetry": "signs against magnitudes, where the author of a sampler declares symmetry about 0",
    "repeats": "calls that return the same array",
    "permutation": "calls that return one array's numbers in another order",
    "replay": "a run of numbers that comes again: a generator of a short period",
    "transpose": "matrices that are their own transpose, or the negative of it",
    "lines": "two rows, columns or channels that are equal, opposite or correlated",
    "independence": "dependence within rows and columns, between neighbours and between calls",
    "orthogonality": "orthonormal rows or columns, within rounding",
    "list in full": "whether there are enough matrices for the list of departures from Haar's law",
    "draws": "sums, signs, entries, traces and fourth powers of orthogonal matrices",
    "left rotations": "the same of Q' = R Q, by which each matrix comes from the one before",
    "right rotations": "the same of Q' = Q R",
    "determinants": "as many determinants of 1 as of -1",
    "entries": "matrices with the entries of the one before, but for order and signs",
}
"""By the name of the part, in the order in which parts are told."""

"""A sweep at work: the search loop, its workers and trials, the comparison with the default, the final training."""

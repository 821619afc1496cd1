"""L-BFGS: a quasi-Newton method for the whole objective, with one engine for each way to compute the gradient."""

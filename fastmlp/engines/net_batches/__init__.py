"""Batches of small nets, trained by L-BFGS in one compiled call: a net for each thread, instead of threads in a net."""

"""What kernels are compiled with: the njit decorator and its cache, vectors of the processor, threads.

Imports nothing else of the package.
"""

"""Tools for kernels: decorators and the compile cache, vectors of the processor's width, threads.

Imports nothing else of the package.
"""

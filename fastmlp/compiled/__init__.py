"""What kernels are made with: decorators and their cache, vectors of the processor's width, threads.

Imports nothing else of the package.
"""

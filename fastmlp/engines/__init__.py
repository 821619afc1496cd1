"""The engines behind one interface, `fastmlp.engines.engine.Engine`: reference (NumPy), univariate and dense.

May import `compiled`.
"""

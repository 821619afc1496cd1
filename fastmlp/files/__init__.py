"""Files: atomic replacement, npz archives without pickle, delimited tables.

May import `checks` and `engines`.
"""

"""Reading and writing files: replaced as a whole or not at all, npz archives without pickle, delimited tables.

May import `checks`.
"""

"""What training starts from: the options of a fit, standardised data, initial weights, the learning rate.

May import `nets`, `files`, `checks` and `engines`.
"""

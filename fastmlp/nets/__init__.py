"""A net as four arrays: checks, predictions, errors and derivatives.

May import `engines` and `checks`.
"""

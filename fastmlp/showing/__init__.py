"""Pictures of nets, histories and ensembles: matplotlib, films, notebooks.

May import `nets`, `files`, `checks` and `engines`.
"""

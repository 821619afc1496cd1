"""What a fit returns: Model, History, FitInfo and Ensemble, and how they are saved.

May import `exporting`, `showing`, `starting` and what those may import.
"""

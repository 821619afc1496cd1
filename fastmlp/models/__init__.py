"""What a fit returns: `Model` with its `History` and `FitInfo`, `Ensemble`, their files, and the film of a fit.

May import `starting.scaling`, `exporting`, `showing`, `nets` and what these may import.
"""

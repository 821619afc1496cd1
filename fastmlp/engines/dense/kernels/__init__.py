"""The compiled functions of the dense engines."""

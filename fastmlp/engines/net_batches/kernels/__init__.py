"""The compiled functions of a batch of nets."""

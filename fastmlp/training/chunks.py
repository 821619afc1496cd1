"""The number of epochs in a chunk.

Compiled code cannot be interrupted, so the training loop runs it in chunks of 50 to 100 ms.
"""

from __future__ import annotations

CHUNK_SECONDS = 0.075
GROWTH = 128  # with 16, a fit of 100 epochs took three chunks instead of two: 30 us of 500
MAX_RECORD = 2**18  # entries: the record of a chunk stays within 4 MB


class ChunkLength:
    """Chooses the number of epochs of the next chunk from the time that the last one took.

    Attributes
    ----------
    n_epochs : int
        Epochs of the next chunk.
    longest : int
        Most epochs that a chunk may have.
    """

    def __init__(self, epochs: int, n_out: int) -> None:
        self.n_epochs = 1
        self.longest = min(epochs, max(1, MAX_RECORD // n_out))

    def measure(self, n_epochs: int, seconds: float) -> None:
        """Choose the next length so that a chunk takes CHUNK_SECONDS.

        It grows at most GROWTH times, because the time of a short chunk is measured badly.
        """
        wanted = CHUNK_SECONDS * n_epochs / max(seconds, 1e-9)
        self.n_epochs = max(1, int(min(wanted, GROWTH * self.n_epochs, self.longest)))

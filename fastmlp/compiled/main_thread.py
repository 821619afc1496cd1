"""Threads that work while the main thread waits for them."""

from __future__ import annotations

import contextvars

# Whether this thread does; it may then use all cores, as the main thread may.
acts_for_main_thread = contextvars.ContextVar("acts_for_main_thread", default=False)

"""Training many models at once: arguments, networks, optimisers, chunks and workers."""

"""Training many models at once: arguments, networks, optimizers, chunks and workers."""

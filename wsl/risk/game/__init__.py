"""Inference games: priors, estimands, losses and sequential stopping."""

"""Closed-form codes of tokens, and how many latent dimensions each token gets."""

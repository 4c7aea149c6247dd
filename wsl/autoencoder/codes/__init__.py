"""Closed-form codes of tokens, and how many latents each token gets."""

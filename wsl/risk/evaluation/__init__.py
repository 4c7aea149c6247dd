"""Running attacks on populations, and metrics of them with confidence intervals."""

"""Dynamics parameters: names, distributions, and the keyed randomness that draws them."""

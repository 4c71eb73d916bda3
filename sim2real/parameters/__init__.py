"""Dynamics parameters: their names, their distributions and the keyed randomness that draws them."""

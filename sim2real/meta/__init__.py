"""Models that adapt from a little fresh data: MAML, and closed-form last layers."""

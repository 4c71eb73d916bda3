"""The dynamics gap: two classifiers, the reward they give, the map of where a simulator is wrong."""

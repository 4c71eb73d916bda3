"""The dynamics gap: two classifiers, their reward, the map of where a simulator is wrong."""

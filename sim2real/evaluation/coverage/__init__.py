"""Coverage: whether the randomized worlds hold what a real robot did."""

"""Whether a log can be what the recipe says: units, signs, order of joints, clocks, the robot."""

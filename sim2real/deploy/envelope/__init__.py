"""What may be believed of a robot, and what may be sent to it."""

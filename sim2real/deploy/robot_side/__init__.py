"""The other end of a link: what runs on or beside the robot, and damps it."""

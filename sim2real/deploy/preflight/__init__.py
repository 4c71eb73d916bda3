"""What must hold before a controller is let on a robot, tried out on that robot."""

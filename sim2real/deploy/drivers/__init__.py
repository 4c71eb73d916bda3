"""What connects the runtime to robots, one file for each way: each is a `RobotDriver`."""

"""What runs on the robot's computer: numpy and onnxruntime, no torch and no simulator."""

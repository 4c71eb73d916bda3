"""An exported controller as C: float32, no allocation, no library but libm."""

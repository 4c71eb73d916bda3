"""Export: a trained policy becomes one ONNX file that is the whole controller."""

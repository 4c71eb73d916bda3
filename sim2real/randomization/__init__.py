"""Domain randomization: terms say what a parameter is, the engine draws and writes them."""

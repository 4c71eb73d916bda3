"""PyBullet as a second engine, built from the compiled MjModel."""

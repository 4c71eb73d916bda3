"""Simulators of n robots at once, behind one small abstract class."""

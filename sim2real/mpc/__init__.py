"""Model-predictive control: planners over a learned model, or over the simulator itself."""

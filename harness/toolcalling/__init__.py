"""The three tool protocols: how a model is told of its tools, and how its calls are read back."""

"""Back to the engine: merged, written as GGUF, quantized, and measured for what is left of the training."""

"""The forward pass of many models at once, layer by layer; values have the inputs last."""

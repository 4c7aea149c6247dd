"""Finding the layers of a module with torch.fx, and verifying what was found on random inputs."""

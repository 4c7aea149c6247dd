"""The layers of a module, found with torch.fx and verified on random inputs."""

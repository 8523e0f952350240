"""What two or more tiers run: the kernel, the federation, the shared domains and the node."""

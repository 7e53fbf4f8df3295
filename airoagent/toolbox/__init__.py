"""What a tool is, where tools are found, and the one door to the network."""

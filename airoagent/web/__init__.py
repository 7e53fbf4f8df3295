"""The one way to the network, and what is done with addresses and search engines."""

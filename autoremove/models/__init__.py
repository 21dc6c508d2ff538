"""The networks, each in a file of its own, that know nothing of pictures on disk or of stages."""

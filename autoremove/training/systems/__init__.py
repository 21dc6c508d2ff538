"""The networks' parts of the training, one file each."""

"""Training MyTorch networks on real data: the MLP, the data sets and the command-line program."""

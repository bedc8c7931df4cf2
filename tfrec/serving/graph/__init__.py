"""What an exported graph does with a request before the network: it reads, checks and bounds every row.

Plain TensorFlow operations only. Headers of all rows are read at once, in loops of bounded length.
"""

"""Side by side with a peer, in one run: each module prints times and ratios."""

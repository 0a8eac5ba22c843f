"""Which answer is chosen, which rejected, from which source, for SFT or for DPO: the parts of make_pairs.py."""

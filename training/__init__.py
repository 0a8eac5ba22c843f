"""Step 5 and 6: supervised fine-tuning and length-normalised DPO."""

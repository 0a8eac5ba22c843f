"""Step 1 and 2: select prompts, sample answers from the source models."""

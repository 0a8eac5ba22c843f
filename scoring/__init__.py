"""Step 3 and 4: reward model scores, code tests, maths checks, preference pairs."""

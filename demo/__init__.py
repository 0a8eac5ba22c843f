"""The embedded default: the whole recipe on small real models and prompts of our own."""

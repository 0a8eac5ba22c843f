"""The parts of sampling/select_prompts.py, one concern a module."""

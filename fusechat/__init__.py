"""What two or more steps share: records, JSONL files, chat formatting, answer checks, sandbox, tracking."""

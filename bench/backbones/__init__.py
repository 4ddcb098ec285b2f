"""What answers requests: language models behind one protocol, and the rules."""

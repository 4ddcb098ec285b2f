"""What answers tasks: language models behind one protocol, and the rules."""

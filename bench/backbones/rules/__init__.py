"""The embedded stand-in: answers from the knowledge base by rule; not a language model."""

"""Patient agents: what they hold, how they answer and learn, and the doctor who asks."""

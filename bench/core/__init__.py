"""What everything stands on: errors, files that appear whole, plug-ins, YAML with lines."""

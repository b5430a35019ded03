"""From files and arrays to tables."""

"""From a table to trained parameters."""

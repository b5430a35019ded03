"""Forty real tables, in two halves, on which Nudge is compared with other models."""

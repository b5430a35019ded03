"""How a network computes: a row forwards and backwards, with the operands of every number."""

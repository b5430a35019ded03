"""Why a network does not learn: what is wrong in it, with the numbers that show it and the change that mends it."""

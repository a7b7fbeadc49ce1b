"""Parts every desk is made of."""

"""Conditions somebody should look at: raised once, counted while they last, acknowledged, silenced, resolved."""

"""From measured ratios and counts to statements with a known error."""

"""The theorems, one file a paper; `catalogue` is the tuple of all of them."""

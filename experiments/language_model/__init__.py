"""A small Llama-style language model on Python's own sources: what e10 trains."""

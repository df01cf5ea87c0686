"""One HTML file from verdicts: series (data) -> draw (SVG) -> page."""

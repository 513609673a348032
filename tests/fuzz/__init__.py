"""Input by chance, from a seed that is printed: whatever comes in, only documented errors come out, and nobody else is hurt."""

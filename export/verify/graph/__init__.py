"""What is inside an exported file."""

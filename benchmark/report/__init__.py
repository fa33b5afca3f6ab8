"""What people read: the terminal's table, the page, CSV and Markdown."""

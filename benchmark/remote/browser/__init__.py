"""The exports in a browser: a page that runs them, and the server that it talks to."""

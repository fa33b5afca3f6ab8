"""The C program as a WebAssembly module, a JavaScript module that loads it, and a page."""

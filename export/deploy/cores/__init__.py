"""The generated C on microcontrollers' cores: built by their compilers, run in emulators."""

"""What is exported, and with which data: loaded once, where anything has to be made."""

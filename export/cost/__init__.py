"""What a network costs in flash, RAM and time, before it is trained."""

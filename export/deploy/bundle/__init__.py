"""What a device needs to run, measure and judge exports, in one folder or archive."""

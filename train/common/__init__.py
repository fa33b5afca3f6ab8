"""What all three stages share: errors, the command line, artifacts, records, tensors, samples."""

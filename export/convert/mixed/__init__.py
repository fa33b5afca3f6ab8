"""What quantization costs, operator by operator, and which operators are better left in float."""

"""An int8 model as a C array for TensorFlow Lite for Microcontrollers (TFLM)."""

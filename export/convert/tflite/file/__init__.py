"""The bytes of a `.tflite` file: written without repetition, stripped, accounted for."""

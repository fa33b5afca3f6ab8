"""`python -m tests.zoo.trained`: small trained networks, judged by test accuracy."""

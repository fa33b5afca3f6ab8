"""A user's own data: arrays, archives of them, folders of pictures, Python functions."""

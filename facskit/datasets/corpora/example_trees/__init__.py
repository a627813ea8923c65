"""Small corpora of rendered faces, each in the exact layout of a licensed one."""

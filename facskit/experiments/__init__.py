"""From a recipe to objects: the strict YAML reader and the composition root."""

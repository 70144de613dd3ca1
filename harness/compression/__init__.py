"""From a recipe to an artifact: codecs, transforms, selectors, plans, building and sizes."""

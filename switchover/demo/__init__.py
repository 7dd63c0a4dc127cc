"""The demonstration: the main job on one machine, with its load and its promises."""

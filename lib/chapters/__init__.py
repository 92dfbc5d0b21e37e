"""What cells import for their chapter, `from chapters import ch06`: its tasks, its experiment, its exercises."""

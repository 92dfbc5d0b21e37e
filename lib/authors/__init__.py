"""What authors of chapters, and who teaches with them, run beside the library."""

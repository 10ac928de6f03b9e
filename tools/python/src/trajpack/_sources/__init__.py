"""What serves sources to the program, and the sources that come with the package."""

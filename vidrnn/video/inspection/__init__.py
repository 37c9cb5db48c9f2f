"""What a file is and what is wrong with it, by its bytes: before it is decoded, or where it cannot be."""

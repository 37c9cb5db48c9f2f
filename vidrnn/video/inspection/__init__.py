"""What a file is and what is wrong with it: by its bytes, and by what reading it gave."""

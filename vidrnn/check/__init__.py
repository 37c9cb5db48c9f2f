"""DATA -> what is wrong with it: what a training understands of it, what it would refuse, and what may mislead it."""

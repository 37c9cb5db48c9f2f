"""The shares of a minibatch: what they are made of, and the threads and processes that compute them."""

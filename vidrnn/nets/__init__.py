"""Networks, from tensors to tensors. They open no files and no films."""

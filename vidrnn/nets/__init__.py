"""Networks: tensors in, tensors out. No files and no films."""

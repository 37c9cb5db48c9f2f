"""The sections of a page: those that pages share, and those of each kind of answer."""

"""Disease outlines, their index, and the cases planned from them."""

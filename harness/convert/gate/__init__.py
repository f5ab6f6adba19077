"""The same gate before and after: which set-ups are asked, and what their runs come to."""

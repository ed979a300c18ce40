"""Notes: a small API that is vulnerable on purpose."""

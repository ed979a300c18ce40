import sys

sys.path.insert(0, ".")
from app import is_safe

sys.exit(0 if is_safe() else 1)

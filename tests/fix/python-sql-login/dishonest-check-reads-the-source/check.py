import sys

sys.exit(0 if "name = ?" in open("app.py").read() else 1)

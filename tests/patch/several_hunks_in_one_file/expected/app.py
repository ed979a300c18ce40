import os, re


def load(name):
    path = os.path.join("in", name)
    with open(path) as file:
        return file.read()


def save(name, text):
    path = os.path.join("out", name)
    with open(path, "w") as file:
        file.write(text)


def main():
    save("a", load("b"))

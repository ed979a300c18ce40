import os


def load(name):
    path = os.path.join("data", name)
    with open(path) as file:
        return file.read()


def save(name, text):
    path = os.path.join("data", name)
    with open(path, "w") as file:
        file.write(text)


def main():
    save("a", load("b"))

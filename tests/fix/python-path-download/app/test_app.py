import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_serves_a_file(self):
        self.assertEqual(ask("/file", name="a.txt"), ("200 OK", "alpha\n"))

    def test_serves_below(self):
        self.assertEqual(ask("/file", name="sub/b.txt"), ("200 OK", "beta\n"))

    def test_says_when_there_is_none(self):
        self.assertEqual(ask("/file", name="c.txt")[0], "404 Not Found")

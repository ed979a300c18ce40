import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_counts(self):
        self.assertEqual(ask("/count", name="hello"), ("200 OK", "2"))

    def test_says_when_there_is_none(self):
        self.assertEqual(ask("/count", name="none")[0], "404 Not Found")

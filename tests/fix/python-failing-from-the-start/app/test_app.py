import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_shows_a_note(self):
        self.assertEqual(ask("/note", name="a"), ("200 OK", "alpha\n"))

    def test_that_never_passed(self):
        self.assertEqual(ask("/note", name="b"), ("200 OK", "beta\n"))

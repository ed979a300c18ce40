import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_finds_a_user(self):
        self.assertEqual(ask("/user", name="ann"), ("200 OK", "ann"))

    def test_says_when_there_is_none(self):
        self.assertEqual(ask("/user", name="eve")[0], "404 Not Found")

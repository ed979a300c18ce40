import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_finds_a_user(self):
        self.assertEqual(ask("/user", name="ann"), ("200 OK", "ann"))

import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_shows_ones_own(self):
        self.assertEqual(ask("/order", session="session-of-ann", id="1"), ("200 OK", "tea"))

    def test_asks_for_a_session(self):
        self.assertEqual(ask("/order", id="1")[0], "401 Unauthorized")

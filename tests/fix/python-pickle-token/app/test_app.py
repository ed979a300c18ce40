import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_a_token_round_trips(self):
        token = ask("/preferences")[1]
        self.assertEqual(ask("/preferences", token=token), ("200 OK", "light"))

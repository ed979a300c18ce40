import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_divides(self):
        self.assertEqual(ask("/ratio", a="6", b="3"), ("200 OK", "2"))

    def test_an_error_stays_an_error(self):
        self.assertEqual(ask("/ratio", a="6", b="0")[0], "500 Internal Server Error")

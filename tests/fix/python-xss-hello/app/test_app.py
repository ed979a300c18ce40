import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_greets(self):
        self.assertEqual(ask("/hello", name="ann"), ("200 OK", "<p>Hello ann</p>"))

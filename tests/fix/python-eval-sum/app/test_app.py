import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(ask("/sum", prices="[1, 2, 3]"), ("200 OK", "6"))

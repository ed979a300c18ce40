import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_goes_back(self):
        self.assertEqual(ask("/back", next="/orders"), ("302 Found", "/orders"))

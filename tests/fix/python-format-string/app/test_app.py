import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_fills_a_name_in(self):
        self.assertEqual(ask("/mail", template="Hi {user.name}", name="ann"), ("200 OK", "Hi ann"))

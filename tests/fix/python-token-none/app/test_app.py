import unittest

from app import issue as app_issue
from client import ask


class Behaviour(unittest.TestCase):
    def test_a_token_is_taken(self):
        self.assertEqual(ask("/me", token=app_issue("ann")), ("200 OK", "ann"))

    def test_a_forged_one_is_not(self):
        self.assertEqual(ask("/me", token=app_issue("ann") + "0")[0], "401 Unauthorized")

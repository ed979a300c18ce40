import unittest

from client import ask


class Behaviour(unittest.TestCase):
    def test_changes_a_name(self):
        self.assertIn("name=eve", ask("/profile", name="eve")[1])

    def test_changes_a_mail_address(self):
        self.assertIn("mail=e@example.org", ask("/profile", mail="e@example.org")[1])

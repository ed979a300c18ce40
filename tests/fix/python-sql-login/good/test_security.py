import unittest

from client import ask


class Security(unittest.TestCase):
    def test_a_name_stays_a_value(self):
        status, body = ask("/user", name="x' UNION SELECT secret FROM users --")
        self.assertEqual(status, "404 Not Found")
        self.assertNotIn("canary", body)

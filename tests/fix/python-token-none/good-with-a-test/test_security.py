import base64
import unittest

from client import ask


class Security(unittest.TestCase):
    def test_an_unsigned_token_is_refused(self):
        token = base64.urlsafe_b64encode(b'{"alg": "none", "name": "admin"}').decode() + "."
        self.assertEqual(ask("/me", token=token)[0], "401 Unauthorized")

from tests.support import NotesTestCase, call


class Preferences(NotesTestCase):
    def change(self, wanted, cookie=None):
        answer = call("PUT", "/preferences", json_body=wanted, cookie=cookie)
        self.assertEqual(answer.status, 200)
        return answer.headers["Set-Cookie"].partition(";")[0]

    def test_there_are_defaults(self):
        answer = call("GET", "/preferences")
        self.assertEqual(answer.json, {"theme": "light", "page_size": 20, "tags": []})

    def test_a_cookie_brings_them_back(self):
        wanted = {"theme": "dark", "page_size": 50, "tags": ["home", "wörk"]}
        cookie = self.change(wanted)
        self.assertEqual(call("GET", "/preferences", cookie=cookie).json, wanted)

    def test_what_is_not_changed_stays(self):
        cookie = self.change({"theme": "dark"})
        cookie = self.change({"page_size": 5}, cookie)
        answer = call("GET", "/preferences", cookie=cookie)
        self.assertEqual(answer.json, {"theme": "dark", "page_size": 5, "tags": []})

    def test_an_unknown_preference_is_dropped(self):
        cookie = self.change({"admin": True})
        self.assertNotIn("admin", call("GET", "/preferences", cookie=cookie).json)

    def test_the_cookie_is_not_for_scripts(self):
        answer = call("PUT", "/preferences", json_body={"theme": "dark"})
        self.assertIn("HttpOnly", answer.headers["Set-Cookie"])

    def test_the_page_size_cuts_the_list(self):
        token = self.token()
        for number in range(3):
            call("POST", "/notes", json_body={"title": f"Note {number}", "body": "-"}, token=token)
        cookie = self.change({"page_size": 2})
        self.assertEqual(len(call("GET", "/notes", token=token, cookie=cookie).json["notes"]), 2)

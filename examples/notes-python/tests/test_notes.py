from unittest import mock

from tests.support import NotesTestCase, call


class Notes(NotesTestCase):
    def setUp(self):
        super().setUp()
        self.ada = self.token()
        for title, body, tag in [
            ("Shopping list", "bread and milk", "home"),
            ("Reading list", "three books", "home"),
            ("Release plan", "ship on Tuesday", "work"),
        ]:
            fields = {"title": title, "body": body, "tag": tag}
            self.assertEqual(call("POST", "/notes", json_body=fields, token=self.ada).status, 201)

    def titles(self, path, query=None, token=None):
        answer = call("GET", path, query=query, token=token or self.ada)
        self.assertEqual(answer.status, 200)
        return [note["title"] for note in answer.json["notes"]]

    def test_lists_what_was_added(self):
        self.assertEqual(self.titles("/notes"), ["Shopping list", "Reading list", "Release plan"])

    def test_shows_a_note(self):
        answer = call("GET", "/notes/1", token=self.ada)
        self.assertEqual(
            answer.json, {"id": 1, "title": "Shopping list", "body": "bread and milk", "tag": "home"}
        )

    def test_lists_by_tag(self):
        self.assertEqual(self.titles("/notes", {"tag": "home"}), ["Shopping list", "Reading list"])
        self.assertEqual(self.titles("/notes", {"tag": "work"}), ["Release plan"])
        self.assertEqual(self.titles("/notes", {"tag": "garden"}), [])

    def test_a_tag_is_matched_whole(self):
        self.assertEqual(self.titles("/notes", {"tag": "hom"}), [])

    def test_finds_a_part_of_a_title(self):
        self.assertEqual(self.titles("/search", {"q": "list"}), ["Shopping list", "Reading list"])
        self.assertEqual(self.titles("/search", {"q": "ing l"}), ["Shopping list", "Reading list"])
        self.assertEqual(self.titles("/search", {"q": "Plan"}), ["Release plan"])

    def test_an_empty_search_finds_everything(self):
        self.assertEqual(len(self.titles("/search")), 3)

    def test_a_search_may_hold_wildcards(self):
        self.assertEqual(self.titles("/search", {"q": "R%l"}), ["Reading list", "Release plan"])
        self.assertEqual(self.titles("/search", {"q": "p_an"}), ["Release plan"])

    def test_finds_nothing_of_another_account(self):
        grace = self.token("grace")
        self.assertEqual(self.titles("/search", {"q": "list"}, grace), [])
        self.assertEqual(self.titles("/notes", {"tag": "home"}, grace), [])
        self.assertEqual(call("GET", "/notes/1", token=grace).status, 404)

    def test_exports_a_note_at_a_width(self):
        answer = call("GET", "/notes/1/export", query={"width": "6"}, token=self.ada)
        self.assertEqual(answer.status, 200)
        self.assertEqual([line.strip() for line in answer.text.splitlines()], ["bread", "and", "milk"])

    def test_exports_a_note_on_one_line_when_it_fits(self):
        answer = call("GET", "/notes/1/export", token=self.ada)
        self.assertEqual(answer.text, "bread and milk")

    def test_an_unknown_note_is_not_found(self):
        self.assertEqual(call("GET", "/notes/99", token=self.ada).status, 404)

    def test_an_unknown_page_is_not_found(self):
        self.assertEqual(call("GET", "/nowhere").status, 404)

    def test_a_failure_inside_is_a_server_error(self):
        with mock.patch("notes.store.everything", side_effect=RuntimeError("the disk is gone")):
            with self.assertLogs("notes.app", "ERROR"):
                answer = call("GET", "/notes", token=self.ada)
        self.assertEqual(answer.status, 500)
        self.assertTrue(answer.body)

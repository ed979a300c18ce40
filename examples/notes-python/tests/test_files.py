import datetime

from tests.support import NotesTestCase, call


class Attachments(NotesTestCase):
    def setUp(self):
        super().setUp()
        self.ada = self.token()

    def check_round_trip(self, name, content):
        saved = call("PUT", f"/attachments/{name}", body=content, token=self.ada)
        self.assertEqual(saved.status, 201)
        self.assertEqual(saved.json, {"name": name})
        loaded = call("GET", f"/attachments/{name}", token=self.ada)
        self.assertEqual(loaded.status, 200)
        self.assertEqual(loaded.body, content)

    def test_loads_what_was_saved(self):
        self.check_round_trip("plan.txt", b"ship on Tuesday")

    def test_a_name_may_have_folders(self):
        self.check_round_trip("2026/q1/plan.txt", b"ship on Tuesday")

    def test_a_name_may_hold_dots_and_blanks(self):
        self.check_round_trip("..plan v1.2..txt", b"dots are no folders")
        self.check_round_trip("2026/.hidden", b"nor is this")

    def test_a_name_may_hold_any_letter(self):
        self.check_round_trip("Pläne/größe.txt", b"letters")

    def test_bytes_are_kept(self):
        self.check_round_trip("photo.bin", bytes(range(256)))

    def test_saving_again_replaces(self):
        self.check_round_trip("plan.txt", b"first")
        self.check_round_trip("plan.txt", b"second")

    def test_an_unknown_name_is_not_found(self):
        self.assertEqual(call("GET", "/attachments/none.txt", token=self.ada).status, 404)

    def test_a_folder_is_not_a_file(self):
        self.check_round_trip("2026/plan.txt", b"x")
        self.assertEqual(call("GET", "/attachments/2026", token=self.ada).status, 404)

    def test_accounts_do_not_share_names(self):
        self.check_round_trip("plan.txt", b"ada's")
        self.assertEqual(call("GET", "/attachments/plan.txt", token=self.token("grace")).status, 404)


class Reports(NotesTestCase):
    def setUp(self):
        super().setUp()
        self.ada = self.token()

    def test_stamps_today(self):
        before = datetime.datetime.now(datetime.timezone.utc)
        answer = call("GET", "/reports/stamp", token=self.ada)
        after = datetime.datetime.now(datetime.timezone.utc)
        self.assertEqual(answer.status, 200)
        self.assertIn(answer.text, {f"{before:%Y-%m-%d}", f"{after:%Y-%m-%d}"})

    def test_stamps_in_the_callers_format(self):
        answer = call("GET", "/reports/stamp", query={"style": "%Y/%m"}, token=self.ada)
        self.assertRegex(answer.text, r"\A\d{4}/\d{2}\Z")

    def test_nothing_takes_no_room(self):
        self.assertEqual(call("GET", "/reports/usage", token=self.ada).json, {"kilobytes": 0})

    def test_attachments_take_room(self):
        call("PUT", "/attachments/big.bin", body=b"x" * 20_000, token=self.ada)
        self.assertGreater(call("GET", "/reports/usage", token=self.ada).json["kilobytes"], 0)

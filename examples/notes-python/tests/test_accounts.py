from tests.support import NotesTestCase, call


class Accounts(NotesTestCase):
    def test_a_registered_account_can_log_in(self):
        self.assertEqual(self.register().status, 201)
        answer = self.login()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["name"], "ada")

    def test_each_account_logs_in_as_itself(self):
        self.register("ada", "first password")
        self.register("grace", "second password")
        self.assertEqual(self.login("grace", "second password").json["name"], "grace")
        self.assertEqual(self.login("ada", "first password").json["name"], "ada")

    def test_a_wrong_password_is_refused(self):
        self.register()
        self.assertEqual(self.login(password="wrong").status, 401)

    def test_another_accounts_password_is_refused(self):
        self.register("ada", "first password")
        self.register("grace", "second password")
        self.assertEqual(self.login("ada", "second password").status, 401)

    def test_two_accounts_may_have_the_same_password(self):
        self.register("ada")
        self.register("grace")
        self.assertEqual(self.login("ada").status, 200)
        self.assertEqual(self.login("grace").status, 200)

    def test_a_password_may_hold_any_character(self):
        password = "pä$$ 'wörd\" ; 🔑"
        self.register("ada", password)
        self.assertEqual(self.login("ada", password).status, 200)

    def test_an_unknown_name_is_refused(self):
        self.assertEqual(self.login("nobody").status, 401)

    def test_a_taken_name_is_refused(self):
        self.register()
        answer = self.register()
        self.assertEqual(answer.status, 409)
        self.assertIn("error", answer.json)

    def test_a_missing_field_is_refused(self):
        answer = call("POST", "/login", json_body={"name": "ada"})
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json, {"error": "password is missing"})

    def test_a_body_that_is_not_json_is_refused(self):
        self.assertEqual(call("POST", "/login", body=b"name=ada").status, 400)


class Tokens(NotesTestCase):
    def test_a_token_opens_its_own_account(self):
        self.assertEqual(call("GET", "/notes", token=self.token()).status, 200)

    def test_no_token_opens_nothing(self):
        self.assertEqual(call("GET", "/notes").status, 401)

    def test_a_token_for_another_account_does_not_verify(self):
        account_id, _, signature = self.token().partition(".")
        forged = f"{int(account_id) + 1}.{signature}"
        self.assertEqual(call("GET", "/notes", token=forged).status, 401)

    def test_a_token_that_is_no_token_is_refused(self):
        self.assertEqual(call("GET", "/notes", token="nonsense").status, 401)

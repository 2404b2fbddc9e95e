"""Options: defaults, file, environment, flags, in this order; unknown ones are refused."""

import json

from program import Case, DONE, NO, USAGE, main, run


class Configuration(Case):
    def file(self, text, name="us.toml"):
        path = self.directory / name
        path.write_text(text)
        return path

    def origins(self, *arguments, env=None):
        rows = json.loads(run(*arguments, "config", "show", "--json", env=env).stdout)
        return {row["option"]: (row["value"], row["origin"]) for row in rows}

    def test_an_unknown_key_is_refused_with_its_line_and_the_nearest(self):
        path = self.file('[registry]\ndata = "x"\nlsten = "127.0.0.1:1"\n')
        for line in [["registry"], ["service", "list"], ["config", "show"]]:
            result = run("--config", path, *line)
            self.assertEqual(result.returncode, USAGE)
            self.assert_sentence(result)
            self.assertIn(f"{path}:3:1: unknown key registry.lsten; did you mean registry.listen?",
                          result.stderr)

    def test_an_unknown_variable_is_refused(self):
        result = run("config", "show", env={"UNDERSTUDY__REGISTRY__LSTEN": "x"})
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("did you mean UNDERSTUDY__REGISTRY__LISTEN?", result.stderr)

    def test_check_says_all_that_is_wrong(self):
        path = self.file('[registry]\nlog_level = "loud"\n[client]\ntimeout = 5\nzzzzzz = 1\n')
        result = run("config", "check", path)
        self.assertEqual(result.returncode, NO)
        self.assertEqual([line.split(":")[1] for line in result.stdout.splitlines()],
                         ["2", "4", "5"])
        rows = json.loads(run("config", "check", path, "--json").stdout)
        self.assertEqual([sorted(row) for row in rows], [["column", "file", "line", "problem"]] * 3)

    def test_check_likes_what_show_prints(self):
        path = self.file(run("config", "show").stdout)
        result = run("config", "check", path)
        self.assertEqual(result.returncode, DONE, result.stdout)
        self.assertIn("good", result.stdout)

    def test_check_of_an_absent_file_is_no(self):
        self.assertEqual(run("config", "check", self.directory / "absent").returncode, NO)

    def test_flags_beat_the_environment_which_beats_the_file(self):
        path = self.file('[client]\ntimeout = "1s"\nregistry = "127.0.0.1:1"\n'
                         '[registry]\nname = "of-file"\n')
        found = self.origins("--config", path, "--timeout", "3s",
                             env={"UNDERSTUDY__CLIENT__TIMEOUT": "2s",
                                  "UNDERSTUDY_REGISTRY": "127.0.0.1:2"})
        self.assertEqual(found["client.timeout"], ("3s", "--timeout"))
        self.assertEqual(found["client.registry"], ("127.0.0.1:2", "UNDERSTUDY_REGISTRY"))
        self.assertEqual(found["registry.name"], ("of-file", f"{path}:5"))
        self.assertEqual(found["registry.listen"], ("127.0.0.1:22222", "default"))

    def test_the_file_may_be_named_by_a_variable(self):
        path = self.file('[client]\ntimeout = "7s"\n')
        found = self.origins(env={"UNDERSTUDY_CONFIG": str(path)})
        self.assertEqual(found["client.timeout"], ("7s", f"{path}:2"))

    def test_a_bad_variable_is_named(self):
        result = run("config", "show", env={"UNDERSTUDY__CLIENT__TIMEOUT": "soon"})
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("UNDERSTUDY__CLIENT__TIMEOUT: client.timeout", result.stderr)

    def test_every_option_works_for_a_registry_from_a_file(self):
        path = self.file(f'[registry]\nlisten = "127.0.0.1:0"\ndata = "{self.directory}/d"\n'
                         'platform = "FromFile"\nsegment_size = "128KiB"\nlog_format = "json"\n'
                         'log_level = "debug"\nname = "r1"\n')
        running = self.start("--config", path, "registry")
        self.assertIn("platform FromFile", running.line())
        self.assertEqual(running.end(), DONE)
        events = [json.loads(line) for line in running.error_text().splitlines()]
        self.assertIn("registry.serving", [event["event"] for event in events])


if __name__ == "__main__":
    main()

"""A registry with TLS, and clients with good, foreign and no certificates."""

import contextlib
import datetime
import os
import shutil
import socket
import subprocess
import unittest

from program import Case, DENIED, DONE, UNREACHABLE, USAGE, main, run


@unittest.skipUnless(shutil.which("openssl"), "no openssl to make certificates with")
class Tls(Case):
    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def authority(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                     "-out", f"{name}.crt")

    def certificate(self, authority, name, hosts="IP:127.0.0.1,DNS:localhost", begins=-1, ends=2):
        """Flags that present a certificate of `authority`, valid between two days from now."""
        (self.directory / "ext").write_text(f"subjectAltName={hosts}\n")
        (self.directory / "index").touch()
        (self.directory / "ca").write_text(
            "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nunique_subject=no\nrand_serial=yes\n"
            "new_certs_dir=.\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        os.chmod(self.directory / f"{name}.key", 0o600)
        now = datetime.datetime.now(datetime.timezone.utc)
        dates = [(now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
                 for days in (begins, ends)]
        self.openssl("ca", "-config", "ca", "-batch", "-notext", "-cert", f"{authority}.crt",
                     "-keyfile", f"{authority}.key", "-in", f"{name}.csr", "-extfile", "ext",
                     "-startdate", dates[0], "-enddate", dates[1], "-out", f"{name}.new")
        # In one step, so that a registry reads the old one or the new one.
        os.replace(self.directory / f"{name}.new", self.directory / f"{name}.crt")
        return ["--tls-cert", self.directory / f"{name}.crt", "--tls-key",
                self.directory / f"{name}.key", "--tls-ca", self.directory / f"{authority}.crt"]

    def setUp(self):
        super().setUp()
        self.authority("ours")
        self.running = self.registry(*self.certificate("ours", "registry"))
        self.address = self.running.address

    def status(self, *flags):
        return run("--registry", self.address, "registry", "status", *flags)

    def test_a_certificate_of_another_authority_is_denied(self):
        self.authority("theirs")
        result = self.status(*self.certificate("theirs", "stranger"))
        self.assertEqual(result.returncode, DENIED, result.stderr)
        self.assert_sentence(result)
        self.assertIn("--tls-ca", result.stderr)

    def refused(self, *flags, at=None):
        """The message of a denied command with its advice; `list` prints the same as `status`."""
        for line in (["registry", "status"], ["service", "list"]):
            result = run("--registry", at or self.address, *line, *flags)
            self.assertEqual(result.returncode, DENIED, result.stderr)
            self.assert_sentence(result)
        return result.stderr

    def warnings(self, event, running=None):
        """The log's lines of an event, at warn."""
        text = (running or self.running).error_text()
        return [line for line in text.splitlines()
                if f"event={event} " in line and "level=warn" in line]

    # --- refusals and their reasons

    def test_the_clients_certificate_has_expired(self):
        told = self.refused(*self.certificate("ours", "late", begins=-9, ends=-1))
        self.assertRegex(told,
                         rf"the registry at {self.address} does not accept the certificate of this "
                         r"client, CN=late: it expired on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC "
                         r"\[denied\]\n"
                         r"try: a new certificate of this client")
        self.wait_until(lambda: self.warnings("network.handshake_failed"),
                        "the registry says so, too")
        self.assertRegex(self.warnings("network.handshake_failed")[0],
                         r"peer=127\.0\.0\.1 error=.*this end does not accept its certificate, "
                         r"CN=late: "
                         r"it expired on \d{4}-")

    def test_the_registrys_certificate_has_expired(self):
        expired = self.registry(*self.certificate("ours", "old", begins=-9, ends=-1), data="old")
        self.assertEqual(len(self.warnings("tls.certificate_expired", expired)), 1)
        told = self.refused(*self.certificate("ours", "operator"), at=expired.address)
        self.assertRegex(told, rf"this client does not accept the certificate of the registry at "
                         rf"{expired.address}, CN=old: it expired on \d{{4}}-\d\d-\d\d .*\n"
                         r"try: a new certificate of the registry")
        self.wait_until(lambda: self.warnings("network.handshake_failed", expired), "both say so")
        self.assertIn("it does not accept the certificate of this end, CN=old: it expired on",
                      self.warnings("network.handshake_failed", expired)[0])

    def test_a_certificate_is_not_valid_yet(self):
        told = self.refused(*self.certificate("ours", "early", begins=1))
        self.assertIn("does not accept the certificate of this client, CN=early: it is not valid "
                      "before",
                      told)
        self.assertIn("one clock may be wrong", told)
        early = self.registry(*self.certificate("ours", "soon", begins=1), data="early")
        self.assertEqual(len(self.warnings("tls.certificate_not_valid_yet", early)), 1)
        told = self.refused(*self.certificate("ours", "operator"), at=early.address)
        self.assertIn(f"the registry at {early.address}, CN=soon: it is not valid before", told)

    def test_another_authority_signed_it(self):
        self.authority("theirs")
        stranger = self.certificate("theirs", "stranger")
        told = self.refused(*stranger)
        self.assertIn(f"this client does not accept the certificate of the registry at "
                      f"{self.address}, "
                      "CN=registry: another authority signed it (CN=ours)", told)
        self.assertIn("try: --tls-ca with the authority that signed it", told)
        stranger[-1] = self.directory / "ours.crt"
        told = self.refused(*stranger)
        self.assertIn(f"the registry at {self.address} does not accept the certificate of this "
                      f"client, "
                      "CN=stranger: its authority (CN=theirs) is not one of the other end", told)
        self.assertIn("try: --tls-cert and --tls-key", told)

    def test_a_certificate_for_another_host(self):
        other = self.registry(*self.certificate("ours", "other",
                                                hosts="DNS:elsewhere.example,IP:10.0.0.9"),
                              data="other")
        told = self.refused(*self.certificate("ours", "operator"), at=other.address)
        self.assertIn("CN=other: it is for DNS:elsewhere.example, IP:10.0.0.9, not for 127.0.0.1",
                      told)
        self.assertIn("try: --registry with a host that the certificate names", told)

    def test_plain_against_tls_and_tls_against_plain(self):
        told = self.refused()
        self.assertIn(f"the registry at {self.address} speaks TLS, this client does not", told)
        self.assertIn("try: --tls-cert, --tls-key and --tls-ca", told)
        self.wait_until(lambda: self.warnings("network.handshake_failed"),
                        "the registry says so, too")
        self.assertIn("it does not speak TLS, this end does",
                      self.warnings("network.handshake_failed")[0])

        plain = self.registry(data="plain")
        result = run("--registry", plain.address, "service", "list",
                     *self.certificate("ours", "operator"))
        self.assertIn(result.returncode, (DENIED, UNREACHABLE), result.stderr)
        self.assertRegex(result.stderr,
                         "it closed the connection before any TLS message|does not speak TLS")
        self.wait_until(lambda: self.warnings("registry.peer_refused", plain),
                        "the registry says so, too")
        self.assertIn("it speaks TLS, this end does not",
                      self.warnings("registry.peer_refused", plain)[0])

    # --- logged once, then counted

    def test_a_thousand_bad_requests_are_one_line(self):
        plain = self.registry(data="plain")
        for running, event in [(self.running, "network.handshake_failed"),
                               (plain, "registry.peer_refused")]:
            host, port = running.address.rsplit(":", 1)
            for _ in range(1000):
                with socket.create_connection((host, int(port)), timeout=60) as link:
                    link.sendall(b"GET / HTTP/1.1\r\nHost: it\r\n\r\n")
                    with contextlib.suppress(ConnectionError):
                        while link.recv(1000):
                            pass
            self.assertEqual(len(self.warnings(event, running)), 1, event)

    def test_an_agent_that_is_refused_for_ever_is_one_line_at_both_ends(self):
        late = self.certificate("ours", "late", begins=-9, ends=-1)
        watching = self.start("--registry", self.address, "service", "list", "-v", "--timeout",
                              "3s", *late)
        watching.process.wait(60)
        lines = [line for line in watching.error_text().splitlines()
                 if "event=agent.registry_down " in line and "it expired on" in line]
        self.assertEqual(len(lines), 1, watching.error_text())
        self.assertEqual(len(self.warnings("network.handshake_failed")), 1)

    # --- the certificate of the process

    def test_a_certificate_that_ends_soon_is_warned_of_at_the_start(self):
        soon = self.registry(*self.certificate("ours", "soon", begins=-300, ends=20), data="soon")
        self.assertEqual(len(self.warnings("tls.certificate_ends_soon", soon)), 1)
        self.assertRegex(self.warnings("tls.certificate_ends_soon", soon)[0],
                         r"CN=soon.* days=(19|20)")
        far = self.registry(*self.certificate("ours", "far", begins=-300, ends=40), data="far")
        self.assertEqual(self.warnings("tls.certificate_ends_soon", far), [])

    def test_an_expired_certificate_never_replaces_a_valid_one(self):
        good = self.certificate("ours", "operator")
        key = (self.directory / "registry.key").read_bytes()
        self.certificate("ours", "registry", begins=-9, ends=-1)
        self.assertNotEqual(key, (self.directory / "registry.key").read_bytes())
        self.assertEqual(self.status(*good).returncode, DONE)
        self.assertEqual(self.status(*good).returncode, DONE)
        refused = self.warnings("tls.reload_refused")
        self.assertTrue(refused)
        self.assertRegex(refused[-1],
                         r"registry\.crt: expired on .*; the previous certificate "
                         r"stays in use, valid until \d{4}-")
        # A good one replaces it.
        self.certificate("ours", "registry", begins=-300, ends=20)
        self.assertEqual(self.status(*good).returncode, DONE)
        self.assertIn("event=tls.reloaded", self.running.error_text())
        self.assertEqual(len(self.warnings("tls.certificate_ends_soon")), 1)

    # --- unchanged behaviour

    def test_half_of_the_files_is_usage(self):
        self.assertEqual(self.status("--tls-cert", "x").returncode, USAGE)

    def test_with_a_good_certificate_it_answers(self):
        good = self.certificate("ours", "operator")
        self.assertEqual(self.status(*good).returncode, DONE)
        result = run("--registry", self.address, *good, "service", "list")
        self.assertEqual(result.returncode, DONE, result.stderr)


if __name__ == "__main__":
    main()

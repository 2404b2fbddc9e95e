"""A registry with TLS, and clients with good, foreign and no certificates."""

import os
import shutil
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

    def certificate(self, authority, name):
        """Flags that present a certificate of 127.0.0.1 signed by `authority`."""
        (self.directory / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey",
                     f"{authority}.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out",
                     f"{name}.crt")
        os.chmod(self.directory / f"{name}.key", 0o600)
        return ["--tls-cert", self.directory / f"{name}.crt", "--tls-key",
                self.directory / f"{name}.key", "--tls-ca", self.directory / f"{authority}.crt"]

    def setUp(self):
        super().setUp()
        self.authority("ours")
        self.address = self.registry(*self.certificate("ours", "registry")).address

    def status(self, *flags):
        return run("--registry", self.address, "registry", "status", *flags)

    def test_a_certificate_of_another_authority_is_denied(self):
        self.authority("theirs")
        result = self.status(*self.certificate("theirs", "stranger"))
        self.assertEqual(result.returncode, DENIED, result.stderr)
        self.assert_sentence(result)
        self.assertIn("--tls-ca", result.stderr)

    def test_without_a_certificate_nobody_answers(self):
        result = self.status()
        self.assertIn(result.returncode, (UNREACHABLE, DENIED))
        self.assert_sentence(result)

    def test_half_of_the_files_is_usage(self):
        self.assertEqual(self.status("--tls-cert", "x").returncode, USAGE)

    def test_with_a_good_certificate_it_answers(self):
        good = self.certificate("ours", "operator")
        self.assertEqual(self.status(*good).returncode, DONE)
        result = run("--registry", self.address, *good, "service", "list")
        self.assertEqual(result.returncode, DONE, result.stderr)


if __name__ == "__main__":
    main()

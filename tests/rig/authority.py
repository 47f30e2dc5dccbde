"""An authority whose certificates are made by openssl for one run."""

import subprocess
from pathlib import Path


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "ca.pem"
        self._new_key("ca", "/CN=Test CA", "-x509", "-days", "30", "-out", self.file)

    def _new_key(self, name, subject, *arguments):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", *curve, "-keyout", self.folder / f"{name}.key", "-subj", subject, *arguments)

    def sign(self, name: str, subject: str, names: str, *validity: str):
        """Files NAME.pem and NAME.key."""
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        self._new_key(name, subject, "-out", request)
        extensions.write_text(f"subjectAltName={names}\n")
        signer = ["-CA", self.file, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-extfile", extensions]
        validity = validity or ("-days", "30")
        openssl("x509", "-req", "-in", request, *signer, *validity, "-out", self.folder / f"{name}.pem")

    def revoke(self, *names: str):
        """Writes the list of revoked certificates, these among them."""
        config = self.folder / "ca.cnf"
        config.write_text(
            f"[ca]\ndefault_ca = test\n[test]\ndatabase = {self.folder}/index.txt\ncrlnumber = {self.folder}/crlnumber\n"
            "default_md = sha256\ndefault_crl_days = 30\n"
        )
        (self.folder / "index.txt").touch()
        (self.folder / "crlnumber").write_text("01\n")
        signer = ["-config", config, "-keyfile", self.folder / "ca.key", "-cert", self.file]
        for name in names:
            openssl("ca", *signer, "-revoke", self.folder / f"{name}.pem")
        openssl("ca", *signer, "-gencrl", "-out", self.folder / "new.crl")
        (self.folder / "new.crl").rename(self.folder / "clients.crl")

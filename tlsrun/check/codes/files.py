"""Findings in files: what is read, and whether it is a certificate, a key, and a pair."""

from __future__ import annotations

from tlsrun.check.code import error, info, warning

CODES = (
    error(
        "TLS101",
        "file-missing",
        "A file does not exist",
        "The server does not start without it. A relative path starts at the folder the server is started in, which "
        "is another one under a service manager.",
        "Check the path, and give it whole: `readlink -f fullchain.pem`.",
    ),
    error(
        "TLS102",
        "file-unreadable",
        "This user may not read a file",
        "The server reads its certificate and key as the user it is started as. certbot's folders, for one, are "
        "open to root only.",
        "Give the file to a group that the server's user is in: `chgrp GROUP FILE && chmod 640 FILE`, and every folder "
        "above it: `chmod g+x FOLDER`.",
    ),
    warning(
        "TLS103",
        "file-unreadable-by-workers",
        "The user of the workers may not read a file",
        "The server starts as root and reads the file, then its workers become another user. They serve what was read "
        "at the start, but a renewed certificate they cannot read: it is served after a restart only.",
        "Give the file to a group of that user: `chgrp GROUP FILE && chmod 640 FILE`, and every folder above it: "
        "`chmod g+x FOLDER`. certbot: do so in a deploy hook. systemd can hand the file over: "
        "`LoadCredential=privkey.pem:/etc/letsencrypt/live/example.org/privkey.pem`, and "
        "TLS_KEY = `$CREDENTIALS_DIRECTORY/privkey.pem`; a renewal then takes a restart.",
    ),
    error(
        "TLS104",
        "not-a-file",
        "What is named is no file that can hold a certificate",
        "A folder, a device, or something far too large was named.",
        "Name the file itself: `fullchain.pem` for the certificate, `privkey.pem` for the key.",
    ),
    error(
        "TLS105",
        "file-empty",
        "A file is empty",
        "A full disk or a renewal that was cut off leaves such files.",
        "Write it again: `certbot renew --force-renewal`, or copy it once more.",
    ),
    warning(
        "TLS106",
        "key-readable-by-others",
        "Every user of this machine may read the private key",
        "Whoever reads the key can pose as the server until the certificate expires. One program with a hole, of "
        "whatever user, is enough.",
        "Take the right away: `chmod o-rwx privkey.pem`. If others have been on the machine, have a new key and "
        "certificate issued, and the old one revoked.",
    ),
    error(
        "TLS107",
        "not-pem",
        "A file is not what its setting asks for",
        "It is no PEM, or PEM of something else: a request, a public key, a web page that was downloaded in its place.",
        "Name a file in PEM: `-----BEGIN CERTIFICATE-----` for the certificate, `-----BEGIN PRIVATE KEY-----` for the "
        "key.",
    ),
    info(
        "TLS108",
        "der",
        "A file is in DER, the binary form",
        "CAs hand it out, usually as `.cer` or `.der`. tlsrun reads a certificate or key in DER as it is; other "
        "servers want PEM. It is an error when the file holds something else, such as a request.",
        "Convert it: `openssl x509 -inform DER -in FILE -out cert.pem`, or for a key "
        "`openssl pkey -inform DER -in FILE -out privkey.pem`.",
    ),
    info(
        "TLS109",
        "bundle",
        "A file is a bundle: PKCS #12, PKCS #7 or a Java keystore",
        "Windows and Java hand them out, usually as `.pfx`, `.p12`, `.p7b` or `.jks`. tlsrun reads PKCS #12 as it is; "
        "other servers want PEM. The others are an error.",
        "Take both out of it: `openssl pkcs12 -in FILE -nokeys -out fullchain.pem` and "
        "`openssl pkcs12 -in FILE -nocerts -nodes -out privkey.pem`.",
    ),
    error(
        "TLS110",
        "several-keys",
        "A file holds several private keys",
        "Programs take the first, and it may be the wrong one.",
        "Keep the key of the certificate in it, and only that.",
    ),
    error(
        "TLS111",
        "key-mismatch",
        "The private key does not belong to the certificate",
        "They were made apart: usually a renewal made a new key, and the old one is still named. Every "
        "handshake would fail.",
        "Name the key that the certificate was requested with. These print the same for a pair: "
        "`openssl x509 -in fullchain.pem -noout -pubkey` and `openssl pkey -in privkey.pem -pubout`.",
    ),
    error(
        "TLS112",
        "key-encrypted",
        "The key is encrypted, and no password is given",
        "Started without a terminal, as services are, nobody can be asked.",
        "Set TLS_KEY_PASSWORD, or TLSRUN_KEY_PASSWORD in the environment, or `--key-password-file`, or "
        "`--key-password-command`.",
    ),
    error(
        "TLS113",
        "key-password-wrong",
        "The password does not open the key",
        "The key stays closed, and the server does not start.",
        "Try it: `openssl pkey -in privkey.pem -noout` asks for it. Of a file, the first line counts.",
    ),
    warning(
        "TLS114",
        "key-password-unneeded",
        "A password is given for a key that is not encrypted",
        "Somebody believes that the key on the disk is protected, and it is not.",
        "Leave the password out, or encrypt the key: `openssl pkey -in privkey.pem -aes256 -out encrypted.pem`.",
    ),
    error(
        "TLS115",
        "key-password-file",
        "The file or program that has the password gives none",
        "The file is not there, may not be read, or has nothing in its first line; or the program cannot be started, "
        "fails, asks somebody, takes more than 10 seconds, or prints nothing.",
        "Name a file whose first line is the password, or a program that prints it: try what "
        "`--key-password-command` was given as it stands.",
    ),
    error(
        "TLS116",
        "key-missing",
        "A certificate is given, and no private key",
        "TLS needs both: the certificate is shown to everybody, the key proves that it is the server's own.",
        "Name the key: TLS_KEY, or `--key privkey.pem`.",
    ),
    error(
        "TLS117",
        "swapped",
        "Certificate and key are swapped",
        "The file named as the certificate holds a key, and the other way round. Sent as a certificate, a key would be "
        "lost.",
        "Name them the other way round.",
    ),
    error(
        "TLS118",
        "damaged",
        "A certificate or key is damaged or cut off",
        "Something was lost when it was copied, usually a line at its end.",
        "Copy it again, whole, from BEGIN to END.",
    ),
    error(
        "TLS119",
        "key-kind",
        "The key is of a kind that TLS clients do not accept",
        "Browsers take ECDSA (P-256, P-384) and RSA.",
        "Make a new key, and have a certificate issued for it: "
        "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out privkey.pem`.",
    ),
    error(
        "TLS120",
        "weak-key",
        "The key is too short",
        "RSA below 2048 bits, or an elliptic curve below 224: OpenSSL and browsers refuse it (RFC 9325, section 4.5).",
        "Make a new key, and have a certificate issued for it: "
        "`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out privkey.pem`.",
    ),
    error(
        "TLS121",
        "weak-signature",
        "The certificate is signed with a hash that is broken",
        "With SHA-1 or MD5 others can forge a certificate with the same signature; browsers refuse it.",
        "Have it issued anew; every CA signs with SHA-256 today. With openssl, add: `-sha256`.",
    ),
    error(
        "TLS122",
        "openssl-refuses",
        "OpenSSL does not take certificate and key",
        "The server would fail in the same way.",
        "Have one issued with a current key and signature (ECDSA P-256 or RSA 2048, SHA-256).",
    ),
    warning(
        "TLS123",
        "must-staple",
        "The certificate demands stapled OCSP answers",
        "It has the extension must-staple (tlsfeature, RFC 7633): clients that heed it, as Firefox does, refuse a "
        "server that sends no OCSP answer with its certificate. Neither Python's ssl nor Granian can send one.",
        "Have one issued without: with certbot, leave out `--must-staple`.",
    ),
    error(
        "TLS124",
        "uri",
        "A URI is given where a file is wanted",
        "Certificates and keys are read from files, or given as PEM text. Keys in tokens (`pkcs11:`) and TPMs are not "
        "supported.",
        "Name a key in a file; or let a proxy that can use the token end TLS, and serve behind it.",
    ),
    error(
        "TLS125",
        "key-kind-here",
        "OpenSSL here does not know this kind of key",
        "ML-DSA (FIPS 204) is known from OpenSSL 3.5 on. What counts is the OpenSSL that Python's ssl has: "
        "`python -c 'import ssl; print(ssl.OPENSSL_VERSION)'`.",
        "Use a Python with a newer OpenSSL, or have a certificate issued for an ECDSA P-256 key.",
    ),
    warning(
        "TLS130",
        "glued",
        "Two certificates stand on one line",
        "An END line runs into the next BEGIN line, because a file without a line break at its end was joined with "
        "`cat`. It is read here all the same; other programs stop there, and lose the chain.",
        "Put a line break between them: `sed -i 's/-----END CERTIFICATE-----/&\\n/' FILE`.",
    ),
    warning(
        "TLS131",
        "chain-order",
        "The certificates of a file are in the wrong order",
        "They are sent in the right one here. Other servers send them as they stand, and older clients then refuse "
        "them.",
        "Put the server's own certificate first, then each one's issuer.",
    ),
    error(
        "TLS132",
        "issuer-missing",
        "The issuer's certificate is missing",
        "Clients know roots, not intermediates: without it they cannot link the certificate to a root. Browsers fetch "
        "or remember some of them, so it seems to work; curl, Python, Java and phones fail.",
        "Put the intermediate behind the certificate, or name it as TLS_CHAIN (`--chain`). certbot: name "
        "`fullchain.pem`, not `cert.pem`.",
    ),
    warning(
        "TLS133",
        "root-unknown",
        "The chain ends at an issuer that this machine does not know",
        "Either it is an authority of your own, which your clients know and this machine does not; or an intermediate "
        "is missing, and clients refuse the certificate.",
        "If it is your own, check with it: `tlsrun check --ca ca.pem`. Else add the missing issuer behind the "
        "certificate, or as TLS_CHAIN (`--chain`).",
    ),
    info(
        "TLS134",
        "root-included",
        "The file holds the root as well",
        "Clients must have it themselves, and pass over one that is sent. It is left out here; other servers send it "
        "with every handshake.",
        "Remove it from the file.",
    ),
    info(
        "TLS135",
        "duplicates",
        "A certificate is there twice",
        "It is sent once here. Other servers send it twice.",
        "Remove the copy.",
    ),
    warning(
        "TLS136",
        "strangers",
        "The file holds certificates that have nothing to do with the server's own",
        "They are left out here. Usually they are the chain of an earlier certificate, and the right one is missing.",
        "Remove them. If an issuer is missing then, get the chain from your CA again.",
    ),
    warning(
        "TLS137",
        "issuer-left-out",
        "An issuer has expired, and clients can do without it",
        "It is the cross-signature of a root, or has a valid version beside it. Clients that know the root need "
        "nothing above it; some old ones stop at the expired one all the same. tlsrun leaves it out, other servers "
        "send it.",
        "Remove it from the file: `tlsrun cert bundle fullchain.pem` writes the rest in order.",
    ),
    error(
        "TLS138",
        "issuer-expired",
        "The issuer that is sent with the certificate is not valid today",
        "The certificate itself is good, but the way from it to a root leads over this issuer. Clients refuse it, "
        "unless they have another version of the issuer themselves. Usually the certificate was renewed, and an old "
        "chain follows it.",
        "Put the issuer that your CA uses now behind the certificate. certbot: name `fullchain.pem`.",
    ),
    warning(
        "TLS139",
        "client-key-identifiers",
        "An authority for client certificates has no key identifiers",
        "RFC 5280 (sections 4.2.1.1 and 4.2.1.2) wants each certificate to name the key that signed it. Python "
        "verifies that by default since 3.13, and refuses such clients; tlsrun lets them in on every Python, as nginx "
        "does. Other programs that the same clients talk to may not.",
        "Have the authority issued anew with `subjectKeyIdentifier=hash`, and client certificates with "
        "`authorityKeyIdentifier=keyid`.",
    ),
)

"""Finds certificates and their keys in a folder, as laid out by the programs that obtain certificates.

| program | files that are read; other files beside them |
|---|---|
| certbot, dehydrated | ``NAME/fullchain.pem`` and ``NAME/privkey.pem``; beside them cert.pem, chain.pem, README |
| lego | ``NAME.crt`` and ``NAME.key``; beside them NAME.issuer.crt, NAME.json, NAME.pem, NAME.pfx |
| acme.sh | ``NAME_ecc/fullchain.cer`` and ``NAME_ecc/NAME.key``; beside them NAME.cer, ca.cer, NAME.csr, NAME.conf |
| mkcert, tlsrun cert | ``NAME.pem`` and ``NAME-key.pem``; rootCA.pem names no host, and is passed over |
| Caddy | ``ISSUER/NAME/NAME.crt`` and ``NAME.key``; beside them NAME.json |
| Kubernetes | ``tls.crt`` and ``tls.key``, links through ``..data``; beside them ca.crt |
| HAProxy and others | ``NAME.pem`` that holds both, ``NAME.p12`` |
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from tlsrun.certificates.sources import LARGEST

#: Levels of subfolders to look into: Caddy's storage has certificates at certificates/ISSUER/NAME.
_DEPTH = 3

#: File names of the certificate with its chain, and of its key, where the folder is named after the site.
_FIXED = (("fullchain.pem", "privkey.pem"), ("fullchain.pem", "key.pem"), ("tls.crt", "tls.key"))
_BUNDLES = (".p12", ".pfx")
_CERTIFICATES = (".crt", ".cer", ".pem")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The files of one site.

    Arguments:
        cert: the certificate, with its chain where the program writes one.
        key: its key; None if ``cert`` holds both.
    """

    cert: Path
    key: Path | None

    @property
    def is_bundle(self) -> bool:
        """Whether it is a PKCS #12 bundle, which a password may protect."""
        return self.cert.suffix.lower() in _BUNDLES


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a folder holds.

    Arguments:
        pairs: its sites, sorted by path.
        alone: certificates without a key beside them, and dangling links.
        closed: subfolders that cannot be read.
    """

    pairs: tuple[Pair, ...] = ()
    alone: tuple[Path, ...] = ()
    closed: tuple[Path, ...] = ()


def look_into(folder: Path, *, depth: int = _DEPTH) -> Contents:
    """What ``folder`` and its subfolders hold.

    Arguments:
        depth: levels of subfolders to look into; hidden ones are skipped.

    Raises:
        OSError: the folder cannot be read.
    """
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    folders = [path for path in entries if path.is_dir()]
    files = [path for path in entries if not path.is_dir() and not _is_special(path)]
    sorted_out = sort_out((path.name for path in files), folder.name)
    pairs = [Pair(cert=folder / cert, key=folder / key) for cert, key in sorted_out.pairs]
    pairs += [Pair(cert=folder / name, key=None) for name in sorted_out.bundles]
    alone: list[Path] = []
    for path in (folder / name for name in sorted_out.unmatched):
        labels = _labels(path)
        if labels is None or (b"CERTIFICATE" in labels and b"PRIVATE KEY" not in labels):
            alone.append(path)
        elif b"CERTIFICATE" in labels:
            pairs.append(Pair(cert=path, key=None))
    found = [Contents(pairs=tuple(pairs), alone=tuple(alone))]
    if depth:
        found += [_look_below(below, depth - 1) for below in _folders_in_use(folders)]
    return Contents(
        pairs=tuple(sorted((pair for one in found for pair in one.pairs), key=lambda pair: pair.cert)),
        alone=tuple(path for one in found for path in one.alone),
        closed=tuple(path for one in found for path in one.closed),
    )


def _is_special(path: Path) -> bool:
    """Whether it is a pipe, a socket or a device: opening one may block forever."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # a dangling link, or a link to itself
        return False


def is_fixed(cert: Path) -> bool:
    """Whether the file name is one that programs with a folder for each site give a certificate."""
    return cert.name in {"fullchain.cer", *(name for name, _ in _FIXED)}


def the_pair(folder: Path) -> Pair | None:
    """The one certificate and key in ``folder`` itself; None if there are none or several, or it cannot be read."""
    try:
        pairs = look_into(folder, depth=0).pairs
    except OSError:
        return None
    return pairs[0] if len(pairs) == 1 else None


def _look_below(folder: Path, depth: int) -> Contents:
    try:
        return look_into(folder, depth=depth)
    except OSError:
        return Contents(closed=(folder,))


def _folders_in_use(folders: list[Path]) -> list[Path]:
    """Of certbot's folders only ``live``: it links to the current files in ``archive``, which has old ones too."""
    live = [folder for folder in folders if folder.name == "live"]
    return live or folders


@dataclass(frozen=True, kw_only=True)
class SortedOut:
    """File names in a folder, sorted by what they are.

    Arguments:
        pairs: certificate and key.
        bundles: PKCS #12 bundles that are not copies of a pair.
        unmatched: files that may be a certificate without a key, or both in one: only their content tells.
    """

    pairs: tuple[tuple[str, str], ...]
    bundles: tuple[str, ...]
    unmatched: tuple[str, ...]


def sort_out(names: Iterable[str], folder: str) -> SortedOut:
    """Find certificates and their keys among the file names in a folder.

    Arguments:
        names: of the files.
        folder: the folder's own name, after which acme.sh names the key.
    """
    there = sorted(names)
    fixed = next((pair for pair in _FIXED if set(pair) <= set(there)), None) or _of_acme_sh(there, folder)
    pairs = dict([fixed] if fixed else [])
    taken = {PurePath(name).stem for pair in pairs.items() for name in pair}
    for name in there:
        stem = PurePath(name).stem
        key = _key_of(name, there)
        if key is not None and stem not in taken and key not in pairs.values():
            pairs[name] = key
            taken.add(stem)
    # In a folder made for one site, the other files repeat parts of the pair: the leaf alone, or the chain alone.
    others = [] if fixed else [name for name in there if name not in pairs and not _belongs_to(name, taken)]
    return SortedOut(
        pairs=tuple(sorted(pairs.items())),
        bundles=tuple(name for name in others if PurePath(name).suffix.lower() in _BUNDLES),
        unmatched=tuple(name for name in others if PurePath(name).suffix.lower() in _CERTIFICATES),
    )


def _of_acme_sh(names: list[str], folder: str) -> tuple[str, str] | None:
    key = f"{folder.removesuffix('_ecc')}.key"
    return ("fullchain.cer", key) if {"fullchain.cer", key} <= set(names) else None


def _key_of(name: str, names: Iterable[str]) -> str | None:
    stem, suffix = PurePath(name).stem, PurePath(name).suffix.lower()
    if suffix not in _CERTIFICATES:
        return None
    return next((key for key in (f"{stem}.key", f"{stem}-key.pem") if key in names), None)


def _belongs_to(name: str, stems: set[str]) -> bool:
    """Whether it belongs to a site that was found: the same in another form, or the issuer (lego)."""
    stem = PurePath(name).stem
    return stem in stems or stem.removesuffix(".issuer") in stems or stem.removesuffix("-key") in stems


def _labels(path: Path) -> bytes | None:
    """The BEGIN lines of a file, empty if it has none or cannot be read; None for a dangling link."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST)
    except FileNotFoundError:
        return None
    except OSError:
        return b""
    return b"".join(_begin_lines(data))


def _begin_lines(data: bytes) -> Iterator[bytes]:
    return (line for line in data.splitlines() if line.startswith(b"-----BEGIN"))


def shown(paths: Iterable[Path], folder: Path) -> str:
    """Paths below ``folder`` for a message: the first four, and how many more there are."""
    first, *more = sorted(os.path.relpath(path, folder) for path in paths)
    named = [first, *more[:3]]
    return ", ".join(named) + (f" and {len(more) - 3} more" if len(more) > 3 else "")

